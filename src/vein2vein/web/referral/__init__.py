"""What the door of a referral is made of: its questions, forms, texts as plain data, and papers."""

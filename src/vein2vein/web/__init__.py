"""The app in the browser: pages, jobs and safety for the doors that stand on them."""

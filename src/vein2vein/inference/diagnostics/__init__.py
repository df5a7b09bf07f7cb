"""How a population fit is judged: residuals, rows drawn anew, individual fits, random effects, what data can tell."""

# Golden values of survival estimates by R's package survival, for tests/statistics/test_survival_golden.py.
#
#     Rscript make_survival.R          # in this folder; writes the CSV files beside it
#
# The data are drawn here, from the seed below; none are taken from a package. A table begins with a comment that names
# the versions that made it. Numbers have 17 digits, so that they are read back as the same doubles; NA is "not defined".

suppressPackageStartupMessages(library(survival))

SEED <- 20261129
set.seed(SEED)
options(digits = 17, scipen = 0)

# The data: id, time, cause (0 censored, 1 and 2 causes), group, stratum, exposed_from (Inf never, -Inf always)

drawn <- function(name, n, time, cause, groups = 2, strata = 1) {
  since <- sample(c(-Inf, Inf, NA), n, replace = TRUE)
  since[is.na(since)] <- round(runif(sum(is.na(since)), 0, max(time)), 1)
  data.frame(set = name, time = time, cause = cause, group = (seq_len(n) - 1) %% groups,
             stratum = sample(seq_len(strata) - 1, n, replace = TRUE), exposed_from = since)
}

causes <- function(n, censored) sample(0:2, n, replace = TRUE, prob = c(censored, (1 - censored) * 0.6, (1 - censored) * 0.4))

sets <- list(
  drawn("distinct", 40, rexp(40, 0.05), causes(40, 0.3)),
  drawn("ties", 60, as.numeric(sample(1:9, 60, replace = TRUE)), causes(60, 0.35), groups = 3, strata = 2),
  drawn("heavy_ties", 30, as.numeric(sample(1:3, 30, replace = TRUE)), causes(30, 0.2)),
  drawn("all_censored", 12, round(runif(12, 1, 20)), rep(0, 12)),
  drawn("all_events", 25, rexp(25, 0.1), sample(1:2, 25, replace = TRUE)),
  drawn("one_event", 1, 3.5, 1, groups = 1),
  drawn("one_censored", 1, 3.5, 0, groups = 1),
  drawn("left_at_risk", 50, pmin(rexp(50, 0.02), 12), ifelse(runif(50) < 0.2, causes(50, 0), 0)),
  drawn("zero_times", 35, pmax(round(rexp(35, 0.2) - 1), 0), causes(35, 0.25), groups = 2, strata = 3),
  drawn("one_cause", 30, as.numeric(sample(1:15, 30, replace = TRUE)), rbinom(30, 1, 0.6)),
  drawn("last_is_event", 20, c(as.numeric(sample(1:8, 19, replace = TRUE)), 9), c(causes(19, 0.5), 1)),
  drawn("strata", 200, as.numeric(ceiling(rexp(200, 0.04))), causes(200, 0.3), groups = 4, strata = 5)
)
data <- do.call(rbind, sets)

shown <- function(x) ifelse(is.na(x), "NA", trimws(formatC(x, digits = 17, format = "g")))
write_table <- function(table, file) {
  numeric <- vapply(table, is.numeric, logical(1))
  table[numeric] <- lapply(table[numeric], shown)
  made <- sprintf("# %s, survival %s, seed %d, by make_survival.R", R.version.string, as.character(utils::packageDescription("survival")$Version), SEED)
  writeLines(made, file)
  suppressWarnings(write.table(table, file, append = TRUE, sep = ",", row.names = FALSE, quote = FALSE))
}
write_table(data, "data.csv")

# Kaplan-Meier: estimate, standard error of its logarithm (Greenwood), intervals of three kinds; the median and its interval

KINDS <- c("plain", "log", "log-log")
LEVELS <- c(0.95, 0.8)
curve <- median <- NULL
for (one in sets) for (level in LEVELS) {
  fits <- lapply(KINDS, function(kind) survfit(Surv(time, cause > 0) ~ 1, data = one, conf.type = kind, conf.int = level))
  rows <- data.frame(set = one$set[1], level = level, time = fits[[1]]$time, at_risk = fits[[1]]$n.risk,
                     survival = fits[[1]]$surv, log_error = fits[[1]]$std.err)
  for (i in seq_along(KINDS)) {
    rows[[paste0(KINDS[i], ".low")]] <- fits[[i]]$lower
    rows[[paste0(KINDS[i], ".high")]] <- fits[[i]]$upper
    q <- quantile(fits[[i]], 0.5)
    median <- rbind(median, data.frame(set = one$set[1], level = level, kind = KINDS[i], median = unname(q$quantile),
                                       low = unname(q$lower), high = unname(q$upper)))
  }
  curve <- rbind(curve, rows)
}
write_table(curve, "survival.csv")
write_table(median, "median.csv")

# Cumulative incidence (Aalen-Johansen) of each cause, its standard error and intervals

incidence <- NULL
for (one in sets) if (length(unique(one$cause[one$cause > 0])) == 2) {
  fits <- lapply(KINDS, function(kind) survfit(Surv(time, factor(cause, 0:2)) ~ 1, data = one, conf.type = kind))
  for (of in 1:2) {
    rows <- data.frame(set = one$set[1], cause = of, time = fits[[1]]$time, at_risk = fits[[1]]$n.risk[, 1],
                       incidence = fits[[1]]$pstate[, of + 1], error = fits[[1]]$std.err[, of + 1])
    for (i in seq_along(KINDS)) {
      rows[[paste0(KINDS[i], ".low")]] <- fits[[i]]$lower[, of + 1]
      rows[[paste0(KINDS[i], ".high")]] <- fits[[i]]$upper[, of + 1]
    }
    incidence <- rbind(incidence, rows)
  }
}
write_table(incidence, "incidence.csv")

# Log-rank test between the groups, plain and stratified

ranks <- NULL
for (one in sets) if (length(unique(one$group)) > 1 && any(one$cause > 0)) {
  for (stratified in c(FALSE, TRUE)) {
    if (stratified && length(unique(one$stratum)) == 1) next
    found <- if (stratified) survdiff(Surv(time, cause > 0) ~ group + strata(stratum), data = one)
             else survdiff(Surv(time, cause > 0) ~ group, data = one)
    sums <- function(x) if (is.matrix(x)) rowSums(x) else x
    for (g in seq_along(found$n)) {
      ranks <- rbind(ranks, data.frame(
        set = one$set[1], stratified = as.integer(stratified), group = g - 1, observed = sums(found$obs)[g],
        expected = sums(found$exp)[g], variance = found$var[g, g], chisq = found$chisq,
        degrees = length(found$n) - 1, p = pchisq(found$chisq, length(found$n) - 1, lower.tail = FALSE)))
    }
  }
}
write_table(ranks, "log_rank.csv")

# Cox hazard ratio of exposed to unexposed time, Breslow's ties, exposure from a day on

hazard <- NULL
split_rows <- function(one) {
  rows <- NULL
  for (i in seq_len(nrow(one))) {
    r <- one[i, ]
    if (r$exposed_from > 0 && r$exposed_from < r$time) {
      rows <- rbind(rows,
                    data.frame(start = -1, stop = r$exposed_from, event = 0, exposed = 0),
                    data.frame(start = r$exposed_from, stop = r$time, event = as.integer(r$cause > 0), exposed = 1))
    } else {
      rows <- rbind(rows, data.frame(start = -1, stop = r$time, event = as.integer(r$cause > 0),
                                     exposed = as.integer(r$exposed_from < r$time)))
    }
  }
  rows
}
for (one in sets) {
  rows <- split_rows(one)
  if (length(unique(rows$exposed[rows$event == 1])) < 2) next
  fit <- coxph(Surv(start, stop, event) ~ exposed, data = rows, ties = "breslow",
               control = coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 100))
  hazard <- rbind(hazard, data.frame(set = one$set[1], ratio = unname(exp(coef(fit)))))
}
write_table(hazard, "hazard_ratio.csv")

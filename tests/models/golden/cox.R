# Golden numbers of tests/models/test_cox*.py and tests/selection/test_survival.py, by R 4.2 with survival 3.5.3 and
# glmnet 4.1.6:  Rscript cox.R  in this folder. All .csv files here are written by this script.
library(survival)
suppressMessages(library(glmnet))

set.seed(15)
n <- 60
few <- data.frame(size = rnorm(n, 30, 10), entropy = rnorm(n), stage = rbinom(n, 1, 0.4), noise = rnorm(n))
true_time <- rexp(n, 0.05 * exp(0.04 * (few$size - 30) + 0.8 * few$stage))
censoring <- rexp(n, 0.03)
few <- round(few, 3)
few$time <- ceiling(pmin(true_time, censoring) / 3)  # visits every three months: many ties
few$event <- as.integer(true_time <= censoring)

n <- 50
p <- 40
X <- matrix(rnorm(n * p), n) %*% diag(exp(seq(-1, 1, length.out = p)))
X[, 2] <- X[, 1] + 0.3 * X[, 2]
many <- data.frame(round(X, 2))
true_time <- rexp(n, 0.1 * exp(1.2 * many$X1 - 0.6 * many$X20 + 0.4 * many$X30))
censoring <- rexp(n, 0.04)
many$time <- ceiling(pmin(true_time, censoring))
many$event <- as.integer(true_time <= censoring)

write.csv(few, "few.csv", row.names = FALSE, quote = FALSE)
write.csv(many, "many.csv", row.names = FALSE, quote = FALSE)

fits <- NULL
add <- function(case, quantity, name, value) {
  fits <<- rbind(fits, data.frame(case = case, quantity = quantity, name = name, value = sprintf("%.15g", value)))
}
exact <- coxph.control(eps = 1e-14, toler.chol = 1e-16, iter.max = 100)
newdata <- few[c(1, 7), ]
for (ties in c("efron", "breslow")) {
  fit <- coxph(Surv(time, event) ~ size + entropy + stage + noise, few, ties = ties, control = exact)
  add(ties, "coef", names(coef(fit)), coef(fit))
  add(ties, "se", names(coef(fit)), sqrt(diag(vcov(fit))))
  add(ties, "p", names(coef(fit)), summary(fit)$coefficients[, "Pr(>|z|)"])
  add(ties, "low", names(coef(fit)), summary(fit)$conf.int[, "lower .95"])
  add(ties, "loglik", c("null", "fit"), fit$loglik)
  add(ties, "concordance", "", fit$concordance["concordance"])
  curves <- summary(survfit(fit, newdata), times = c(1, 5, 10))
  for (at in 1:3) add(ties, "survival", paste(curves$time[at], 1:2), curves$surv[at, ])
  # A ridge penalty of theta / 2 times the sum of the squared coefficients, taken from the log partial likelihood
  fit <- coxph(Surv(time, event) ~ ridge(size, entropy, stage, noise, theta = 6, scale = FALSE), few, ties = ties,
               control = exact)
  add(paste(ties, "ridge"), "coef", c("size", "entropy", "stage", "noise"), coef(fit))
}
write.csv(fits, "fits.csv", row.names = FALSE, quote = FALSE)

paths <- NULL
for (table in c("few", "many")) {
  frame <- get(table)
  X <- as.matrix(frame[, setdiff(names(frame), c("time", "event"))])
  y <- Surv(frame$time, frame$event)
  for (l1_ratio in c(1, 0.5, 0)) for (standardize in c(FALSE, TRUE)) {
    fit <- glmnet(X, y, family = "cox", alpha = l1_ratio, standardize = standardize, thresh = 1e-20, maxit = 1e7,
                  lambda = c(0.3, 0.1, 0.04))
    for (at in seq_along(fit$lambda)) {
      paths <- rbind(paths, data.frame(table, l1_ratio, standardize, alpha = fit$lambda[at], name = colnames(X),
                                       coef = sprintf("%.12g", fit$beta[, at])))
    }
  }
}
write.csv(subset(paths, coef != "0"), "paths.csv", row.names = FALSE, quote = FALSE)

X <- as.matrix(many[, 1:p])
y <- Surv(many$time, many$event)
folds <- rep(1:5, length.out = n)
alphas <- glmnet(X, y, family = "cox", nlambda = 30, lambda.min.ratio = 0.05)$lambda
cv <- cv.glmnet(X, y, family = "cox", foldid = folds, thresh = 1e-20, maxit = 1e7, lambda = alphas)
write.csv(data.frame(alpha = sprintf("%.12g", cv$lambda), deviance = sprintf("%.12g", cv$cvm)), "cv.csv",
          row.names = FALSE, quote = FALSE)

univariate <- NULL
for (name in colnames(X)) {
  z2 <- sapply(c("efron", "breslow"), function(ties) coxph(y ~ X[, name], ties = ties)$score)
  univariate <- rbind(univariate, data.frame(name, efron = sprintf("%.13g", z2[1]), breslow = sprintf("%.13g", z2[2]),
                                             concordance = sprintf("%.13g", concordance(y ~ X[, name])$concordance)))
}
write.csv(univariate, "univariate.csv", row.names = FALSE, quote = FALSE)

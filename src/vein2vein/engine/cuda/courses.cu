/* Whole courses of n patients on a GPU: steps, step control and the course of one patient, in CUDA C.

   Twin of plain.py and plain_course.py, line by line. The text is one program for two compilers: NVRTC or nvcc make a
   kernel of it, one patient per thread; a C compiler makes a loop over the patients of it. Arrays that differ between
   patients lie with the patients side by side (column after column), so that the threads of a warp read neighbors.

   What stands between the two marks belongs to one model, request and method. kernel.py puts other lines there before it
   compiles; those that stand here are what it writes for a model of two compartments, so that this file can be read,
   checked and compiled as it is. */
#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define DEVICE static __device__
#define LARGE static __device__ __noinline__
#define TABLE static __constant__ const
#define INFINITE __longlong_as_double(0x7ff0000000000000LL)
#define NAN_ __longlong_as_double(0x7ff8000000000000LL)
#else
#include <math.h>
#define DEVICE static
#define LARGE static
#define TABLE static const
#define INFINITE ((double)INFINITY)
#define NAN_ ((double)NAN)
#endif
#define P(i) p[(long long)(i) * n + patient]

DEVICE double lesser(double a, double b) { return (a < b || a != a) ? a : b; }
DEVICE double greater(double a, double b) { return (b < a || a != a) ? a : b; }
/* generated: begin */
#define STATES 2
#define LEVELS 1
#define KEPT 3
#define STAGES 7
#define WANTED 1
#define CARRIED 1
#define JACOBIAN 1
#define FACTORS 1
#define IMPLICIT 0
#define GAMMA 0.0
#define EXPONENT_NOW 0.17
#define EXPONENT_BEFORE 0.06
#define EXPONENT_REJECTED 0.2
#define START_POWER 0.2
#define SAFETY 0.9
#define SHRINK 0.2
#define GROW 5.0
#define ERROR_FLOOR 1e-08
#define ERROR_AT_START 1.0
#define FIRST_STEP 0.01
#define FIRST_STEP_GROWTH 100.0
#define FIRST_STEP_LEAST 1e-09
#define STRETCH 1.01
#define LEAST_STEP 1e-13
#define LEAST_DAY 1e-12
#define OK 0
#define STEP_TOO_SMALL 1
#define TOO_MANY_STEPS 2
#define NOT_FINITE 3
#define NOT_SOLVED 4
#define STOP (-1)
#define SET (-2)
#define ADD (-3)
#define DENSE_ROWS 7
#define POINTS 5
TABLE double NODES[1][7] = {{0.0, 0.161, 0.327, 0.9, 0.9800255409045097, 1.0, 1.0}};
TABLE double WEIGHTS[7][6] = {{0.0, 0.0, 0.0, 0.0, 0.0, 0.0}, {0.161, 0.0, 0.0, 0.0, 0.0, 0.0}, {(-0.008480655492356989), 0.335480655492357, 0.0, 0.0, 0.0, 0.0}, {2.8971530571054935, (-6.359448489975075), 4.3622954328695815, 0.0, 0.0, 0.0}, {5.325864828439257, (-11.748883564062828), 7.4955393428898365, (-0.09249506636175525), 0.0, 0.0}, {5.86145544294642, (-12.92096931784711), 8.159367898576159, (-0.071584973281401), (-0.028269050394068383), 0.0}, {0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, (-3.290069515436081), 2.324710524099774}};
TABLE double DENSE[7][4] = {{1.0, (-2.763706197274826), 2.9132554618219126, (-1.0530884977290216)}, {0.0, 0.13169999999999998, (-0.2234), 0.1017}, {0.0, 3.9302962368947516, (-5.941033872131505), 2.490627285651253}, {0.0, (-12.411077166933676), 30.33818863028232, (-16.548102889244902)}, {0.0, 37.50931341651104, (-88.1789048947664), 47.37952196281928}, {0.0, (-27.896526289197286), 65.09189467479366, (-34.87065786149661)}, {0.0, 1.5, (-4.0), 2.5}};
TABLE double PLACES[1][5] = {{0.0, 0.25, 0.5, 0.75, 1.0}};
TABLE double ERRORS[1][7] = {{(-0.001780011052225777), (-0.0008164344596567469), 0.007880878010261995, (-0.1447110071732629), 0.5823571654525552, (-0.45808210592918697), 0.015151515151515152}};
LARGE void prepare(const double *p, long long n, long long patient, const double *u, double *kept) {
  const double v8 = P(0) + P(2);
  const double v9 = v8 / P(1);
  const double v12 = P(2) / P(3);
  const double v15 = P(2) / P(1);
  kept[0] = v9;
  kept[1] = v12;
  kept[2] = v15;
}
LARGE void rates(double t, const double *x, const double *p, long long n, long long patient, const double *u, const double *kept, double *out) {
  const double v10 = x[0] * kept[0];
  const double v11 = u[0] - v10;
  const double v13 = x[1] * kept[1];
  const double v14 = v11 + v13;
  const double v16 = x[0] * kept[2];
  const double v17 = v16 - v13;
  out[0] = v14;
  out[1] = v17;
}

LARGE void give(int what, double amount, double *x, const double *p, long long n, long long patient, double *u) {
  switch (what) {
  case 0: {
    const double v9 = x[0] + amount;
    const double y0 = v9;
    x[0] = y0;
    break;
  }
  case 1: u[0] = amount; break;
  default: break;
  }
}
LARGE void write(double t, const double *x, const double *p, long long n, long long patient, const double *u, double *out, long long rows) {
  for (int i = 0; i < STATES; i++) out[i * rows] = x[i];
}
#define WATCHED 1
TABLE int watched[1] = {0};
LARGE void begin_summaries(double *carried, int *result_at) {
  carried[0] = 0.0;
  result_at[0] = 0;
}
LARGE double quantity(int which, double t, const double *x, const double *p, long long n, long long patient, const double *u) {
  switch (which) {
  case 0: {
  const double q0 = x[0];
  return q0;
  }
  default: return 0.0;
  }
}
LARGE void update(int which, const double *y, double t, double h, double *carried) {
  switch (which) {
  case 0: {
  const double v9 = y[0] * 0.07777777777777778;
  const double v12 = y[1] * 0.35555555555555557;
  const double v13 = v9 + v12;
  const double v15 = y[2] * 0.13333333333333333;
  const double v16 = v13 + v15;
  const double v17 = y[3] * 0.35555555555555557;
  const double v18 = v16 + v17;
  const double v19 = y[4] * 0.07777777777777778;
  const double v20 = v18 + v19;
  const double v21 = h * v20;
  const double v22 = carried[0] + v21;
  const double r0 = v22;
  carried[0] = r0;
  break;
  }
  default: break;
  }
}
/* generated: end */
typedef struct {
  const double *absolute, *low, *high;
  double rtol, max_step, inverse_count, begins, ends;
  long long max_steps;
} Control;

/* What is asked of every patient. Patient number i has its part of the days, from day_first[i] to day_last[i], and
   writes what it finds on the first of them in row_first[i], on each next one row_step rows on. */
typedef struct {
  const double *day;
  const long long *day_first, *day_last, *row_first;
  long long row_step, rows;
  const long long *dose_first, *dose_last;
  const double *dose_day;
  const long long *dose_what;
  const double *dose_amount, *resets;
} Asked;

typedef struct {
  double x[STATES], fresh[STATES], k[STAGES][STATES], u[LEVELS + 1], kept[KEPT];
  int solved;
#if IMPLICIT
  double jac[JACOBIAN], lu[FACTORS], bend[BENDS];
#endif
} Lane;

#define HERE p, n, patient, lane->u, lane->kept

DEVICE double bounded(const Control *c, int i, double value) {
  return lesser(greater(value, c->low[i]), c->high[i]);
}

DEVICE double allowed(const Control *c, int i, double size) { return c->absolute[i] + c->rtol * size; }

/* The stages of a tried step and the state at its end; returns the error in units of the tolerance. Not a number where
   the linear equations of the first stage were not solved accurately, and solved says so. */
LARGE double attempt(Lane *lane, const Control *c, double t, double h,
                      const double *p, long long n, long long patient) {
  double total = 0.0, finite = 0.0;
#if IMPLICIT
  slopes(t, lane->x, HERE, lane->k[0], lane->jac, lane->bend);
  factor(1.0 / (GAMMA * h), lane->jac, lane->lu);
  for (int i = 0; i < BY_TIME; i++) lane->k[0][bends[i]] += SLOPES[0][0] * h * lane->bend[i];
  for (int i = 0; i < STATES; i++) lane->fresh[i] = lane->k[0][i];
  solve(lane->lu, lane->k[0]);
  lane->solved = accurate(1.0 / (GAMMA * h), lane->jac, lane->fresh, lane->k[0]);
  if (!lane->solved) return NAN_;
  for (int s = 1; s < STAGES; s++) {
    for (int i = 0; i < STATES; i++) {
      double at = lane->x[i];
      for (int j = 0; j < s; j++) at += WEIGHTS[s][j] * lane->k[j][i];
      lane->fresh[i] = at;
    }
    rates(t + NODES[0][s] * h, lane->fresh, HERE, lane->k[s]);
    for (int i = 0; i < STATES; i++) {
      double coupled = 0.0;
      for (int j = 0; j < s; j++) coupled += COUPLINGS[s][j] * lane->k[j][i];
      lane->k[s][i] += coupled / h;
    }
    for (int i = 0; i < BY_TIME; i++) lane->k[s][bends[i]] += SLOPES[0][s] * h * lane->bend[i];
    solve(lane->lu, lane->k[s]);
  }
  for (int i = 0; i < STATES; i++) {
    double at = lane->x[i];
    for (int j = 0; j < STAGES; j++) at += WEIGHTS[STAGES][j] * lane->k[j][i];
    lane->fresh[i] = bounded(c, i, at);
  }
#else
  for (int s = 1; s < STAGES; s++) {
    for (int i = 0; i < STATES; i++) {
      double sum = 0.0;
      for (int j = 0; j < s; j++) sum += WEIGHTS[s][j] * lane->k[j][i];
      const double at = lane->x[i] + h * sum;
      lane->fresh[i] = s == STAGES - 1 ? bounded(c, i, at) : at;
    }
    rates(t + NODES[0][s] * h, lane->fresh, HERE, lane->k[s]);
  }
#endif
  for (int i = 0; i < STATES; i++) {
    double error = 0.0;
#if IMPLICIT
    error = lane->k[STAGES - 1][i];
#else
    for (int j = 0; j < STAGES; j++) error += ERRORS[0][j] * lane->k[j][i];
    error *= h;
#endif
    const double ratio = error / allowed(c, i, greater(fabs(lane->x[i]), fabs(lane->fresh[i])));
    total += ratio * ratio;
    finite += lane->fresh[i] * 0.0;
  }
  return sqrt((total + finite) * c->inverse_count);
}

/* State number i at a share of the step, within bounds: linear in the stages with the weights w. */
DEVICE void dense_weights(double share, double *w) {
  for (int j = 0; j < STAGES; j++) {
#if IMPLICIT
    double sum = 0.0, power = 1.0;
    for (int r = 0; r < DENSE_ROWS; r++, power *= share) sum += DENSE[r][j] * power;
    w[j] = share * (1.0 - share) * sum;
#else
    double sum = 0.0;
    for (int r = 3; r >= 0; r--) sum = sum * share + DENSE[j][r];
    w[j] = share * sum;
#endif
  }
}

DEVICE double within(const Lane *lane, const Control *c, int i, double share, double h, const double *w) {
  double sum = 0.0;
  for (int j = 0; j < STAGES; j++) sum += w[j] * lane->k[j][i];
#if IMPLICIT
  return bounded(c, i, lane->x[i] + share * (lane->fresh[i] - lane->x[i]) + sum);
#else
  return bounded(c, i, lane->x[i] + h * sum);
#endif
}

LARGE double start_step(Lane *lane, const Control *c, double t, const double *p, long long n, long long patient) {
  double size = 0.0, speed = 0.0, bend = 0.0;
  for (int i = 0; i < STATES; i++) {
    const double room = allowed(c, i, fabs(lane->x[i]));
    size += lane->x[i] / room * (lane->x[i] / room);
    speed += lane->k[0][i] / room * (lane->k[0][i] / room);
  }
  size = sqrt(size * c->inverse_count);
  speed = sqrt(speed * c->inverse_count);
  const double span = lesser(c->max_step, c->ends - t);
  double trial = speed > 0.0 ? FIRST_STEP * greater(size, 1.0) / speed : span;
  trial = trial < span ? trial : span;
  for (int i = 0; i < STATES; i++) lane->fresh[i] = lane->x[i] + trial * lane->k[0][i];
  rates(t + trial, lane->fresh, HERE, lane->k[STAGES - 1]);
  for (int i = 0; i < STATES; i++) {
    const double ratio = (lane->k[STAGES - 1][i] - lane->k[0][i]) / allowed(c, i, fabs(lane->x[i]));
    bend += ratio * ratio;
  }
  bend = sqrt(bend * c->inverse_count) / trial;
  const double fastest = bend > speed ? bend : speed;
  double h = fastest > 0.0 ? pow(FIRST_STEP / fastest, START_POWER) : INFINITE;
  h = lesser(lesser(h, FIRST_STEP_GROWTH * trial), span);
  return h > 0.0 ? h : span * FIRST_STEP_LEAST;
}

DEVICE void course(long long patient, long long n, const double *x0, const double *p, const double *u0,
                   const Control *c, const Asked *asked, double *values, double *x_end, double *u_end,
                   double *reached, long long *status, long long *steps, long long *rejected, double *results) {
  Lane own, *lane = &own;
  double carried[CARRIED], y[WANTED + 1][POINTS], weights[STAGES], at[STATES];
  int result_at[WANTED + 1];
  for (int i = 0; i < STATES; i++) lane->x[i] = x0[i * n + patient];
  for (int i = 0; i < LEVELS; i++) lane->u[i] = u0[i * n + patient];
  begin_summaries(carried, result_at);
  const double *day = asked->day, *dose_day = asked->dose_day;
  const long long last = asked->dose_last[patient], days = asked->day_last[patient];
  long long next = asked->dose_first[patient], waiting = asked->day_first[patient], row = asked->row_first[patient];
  long long taken = 0, refused = 0, why = OK;
  double t = c->begins, h_next = 0.0, before = ERROR_AT_START;
  int changed = 1;
  lane->solved = 1;
  while (why == OK) {
    while (next < last && dose_day[next] <= t) {
      const int what = (int)asked->dose_what[next];
      if (what == SET || what == ADD) {
        const double *given = asked->resets + (long long)asked->dose_amount[next] * STATES;
        for (int i = 0; i < STATES; i++) lane->x[i] = what == SET ? given[i] : lane->x[i] + given[i];
      } else if (what != STOP) {
        give(what, asked->dose_amount[next], lane->x, p, n, patient, lane->u);
      }
      next++;
      changed = 1;
    }
    if (values)
      for (; waiting < days && day[waiting] <= t; waiting++, row += asked->row_step)
        write(day[waiting], lane->x, p, n, patient, lane->u, values + row, asked->rows);
    if (t >= c->ends) break;
    if (changed) {
      prepare(p, n, patient, lane->u, lane->kept);
      rates(t, lane->x, HERE, lane->k[0]);
      h_next = start_step(lane, c, t, p, n, patient);
      before = ERROR_AT_START;
      for (int w = 0; w < WANTED; w++) y[w][0] = quantity(w, t, lane->x, p, n, patient, lane->u);
      changed = 0;
    }
    const double stop = next < last && dose_day[next] < c->ends ? dose_day[next] : c->ends;
    while (t < stop && why == OK) {
      const double step = lesser(h_next, c->max_step), remaining = stop - t;
      const int ends = remaining <= step * STRETCH;
      const double h = ends ? remaining : remaining < 2.0 * step ? remaining / 2.0 : step;
      const double error = attempt(lane, c, t, h, p, n, patient);
      if (!(error <= 1.0)) {
        refused++;
        const double less = SAFETY * pow(error, -EXPONENT_REJECTED);
        h_next = h * (error < INFINITE && less > SHRINK ? less : SHRINK);
        if (h_next < LEAST_STEP * greater(LEAST_DAY, fabs(t)))
          why = !lane->solved ? NOT_SOLVED : error < INFINITE ? STEP_TOO_SMALL : NOT_FINITE;
        else if (taken + refused >= c->max_steps)
          why = TOO_MANY_STEPS;
        continue;
      }
      taken++;
      const double after = ends ? stop : t + h;
      if (values)
        for (; waiting < days && day[waiting] < after; waiting++, row += asked->row_step) {
          const double share = (day[waiting] - t) / h;
          dense_weights(share, weights);
          for (int i = 0; i < STATES; i++) at[i] = within(lane, c, i, share, h, weights);
          write(day[waiting], at, p, n, patient, lane->u, values + row, asked->rows);
        }
      if (WANTED) {
        for (int s = 1; s < POINTS; s++) {
          const int end = s == POINTS - 1;
          dense_weights(PLACES[0][s], weights);
          for (int i = 0; i < WATCHED; i++) {
            const int state = watched[i];
            at[state] = end ? lane->fresh[state] : within(lane, c, state, PLACES[0][s], h, weights);
          }
          for (int w = 0; w < WANTED; w++)
            y[w][s] = quantity(w, t + PLACES[0][s] * h, at, p, n, patient, lane->u);
        }
        for (int w = 0; w < WANTED; w++) {
          update(w, y[w], t, after - t, carried);
          y[w][0] = y[w][POINTS - 1];
        }
      }
      for (int i = 0; i < STATES; i++) {
        lane->x[i] = lane->fresh[i];
        if (!IMPLICIT) lane->k[0][i] = lane->k[STAGES - 1][i];
      }
      t = after;
      if (taken + refused >= c->max_steps && t < c->ends) why = TOO_MANY_STEPS;
      const double floored = greater(error, ERROR_FLOOR);
      const double factor_ = SAFETY * pow(floored, -EXPONENT_NOW) * pow(before, EXPONENT_BEFORE);
      const double wanted = h * lesser(greater(factor_, SHRINK), GROW);
      h_next = h >= step ? wanted : greater(step, wanted);
      before = floored;
    }
  }
  for (int i = 0; i < STATES; i++) x_end[i * n + patient] = lane->x[i];
  for (int i = 0; i < LEVELS; i++) u_end[i * n + patient] = lane->u[i];
  reached[patient] = t;
  status[patient] = why;
  steps[patient] = taken;
  rejected[patient] = refused;
  for (int w = 0; w < WANTED; w++) results[w * n + patient] = why == OK ? carried[result_at[w]] : NAN_;
}

DEVICE void one_rates(long long patient, long long n, double t, const double *x_all, const double *p,
                      const double *u_all, double *out_all) {
  double x[STATES], out[STATES], u[LEVELS + 1], kept[KEPT];
  for (int i = 0; i < STATES; i++) x[i] = x_all[i * n + patient];
  for (int i = 0; i < LEVELS; i++) u[i] = u_all[i * n + patient];
  prepare(p, n, patient, u, kept);
  rates(t, x, p, n, patient, u, kept, out);
  for (int i = 0; i < STATES; i++) out_all[i * n + patient] = out[i];
}

#define COURSE_ARGUMENTS long long n, const double *x0, const double *p, const double *u0, const double *absolute, \
  const double *low, const double *high, const double *numbers, long long max_steps, const double *begins, \
  const double *ends, const double *day, const long long *day_first, const long long *day_last, \
  const long long *row_first, long long row_step, long long rows, const long long *dose_first, \
  const long long *dose_last, const double *dose_day, const long long *dose_what, const double *dose_amount, \
  const double *resets, double *values, double *x_end, double *u_end, double *reached, long long *status, \
  long long *steps, long long *rejected, double *results
#define COURSE_CALL \
  const Control c = {absolute, low, high, numbers[0], numbers[1], numbers[2], begins[patient], ends[patient], max_steps}; \
  const Asked asked = {day, day_first, day_last, row_first, row_step, rows, dose_first, dose_last, dose_day, dose_what, \
                       dose_amount, resets}; \
  course(patient, n, x0, p, u0, &c, &asked, values, x_end, u_end, reached, status, steps, rejected, results);
#define RATES_ARGUMENTS long long n, double t, const double *x, const double *p, const double *u, double *out

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define PATIENT const long long patient = (long long)blockIdx.x * blockDim.x + threadIdx.x; if (patient >= n) return;
extern "C" __global__ void courses(COURSE_ARGUMENTS) { PATIENT COURSE_CALL }
extern "C" __global__ void all_rates(RATES_ARGUMENTS) { PATIENT one_rates(patient, n, t, x, p, u, out); }
#else
void courses(COURSE_ARGUMENTS) { for (long long patient = 0; patient < n; patient++) { COURSE_CALL } }
void all_rates(RATES_ARGUMENTS) {
  for (long long patient = 0; patient < n; patient++) one_rates(patient, n, t, x, p, u, out);
}
#endif

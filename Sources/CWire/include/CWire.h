void cohort_placeholder(void);

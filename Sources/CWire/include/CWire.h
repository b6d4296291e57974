#ifndef COHORT_CWIRE_H
#define COHORT_CWIRE_H

#include "wire.pb-c.h"

#endif

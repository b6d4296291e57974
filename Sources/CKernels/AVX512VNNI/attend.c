#if defined(__x86_64__)
#include "target.h"
//
#include "../Vector/attend.h"
#endif

#ifndef PENSTOCK_CTHREADS_SHIM_H
#define PENSTOCK_CTHREADS_SHIM_H
#include <pthread.h>

/* Not declared unless _GNU_SOURCE was set before the first system header, which a module cannot. */
extern int pthread_setname_np(pthread_t thread, const char *name);
static inline int penstock_name_thread(pthread_t thread, const char *name) { return pthread_setname_np(thread, name); }
#endif

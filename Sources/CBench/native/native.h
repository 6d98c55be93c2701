/* native.h: the programs that stagehost is measured against, all in one binary. */
#ifndef NATIVE_H
#define NATIVE_H

#include <stddef.h>

/* One step of the reference job, lines in, lines out. The exit code. */
int native_step(const char *name);
/* See hub.c and prototype.c. `count` arguments, without the command. The exit code. */
int native_hub(int count, char **arguments);
int native_prototype(int count, char **arguments);

/* Whole reads and writes; 0 at the end of the file, or when it failed. */
int native_read_all(int descriptor, void *bytes, size_t size);
int native_write_all(int descriptor, const void *bytes, size_t size);
void native_die(const char *what) __attribute__((noreturn));

#endif

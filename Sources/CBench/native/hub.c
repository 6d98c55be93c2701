/* `hub STAGES RECORDS BYTES BATCHES`: what a host can do that only moves bytes. The topology is that of stagehost, a process
 * for the source, for each stage, for the sink, all joined to this one by two plain pipes of a megabyte; a window of four
 * batches between neighbours; blocking workers, a poll loop here. The source fills a batch of RECORDS * BYTES from memory,
 * stages copy it, the sink drops it. No validation, no checksum, no log: the limit, not a peer. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "native.h"

enum { WINDOW = 4, MOST_PROCESSES = 34 };

typedef struct frame {
  uint64_t batch;
  uint64_t size;
} frame;

typedef struct batch {
  struct batch *next;
  size_t done; /* bytes of header and payload that are written, or read */
  frame head;
  char *bytes;
} batch;

typedef struct process {
  pid_t pid;
  int to, from;
  batch *first, *last;         /* to be written */
  batch *sent_first, *sent_last; /* written, and their answers to come */
  int in_hand;
} process;

static void push(batch **first, batch **last, batch *item) {
  item->next = NULL;
  if (*last != NULL) (*last)->next = item;
  else *first = item;
  *last = item;
}

static batch *pop(batch **first, batch **last) {
  batch *item = *first;
  *first = item->next;
  if (*first == NULL) *last = NULL;
  return item;
}

static void work(int in, int out, int is_source, int is_sink, size_t size) {
  char *bytes = malloc(size + 1), *copy = malloc(size + 1);
  if (bytes == NULL || copy == NULL) _exit(70);
  memset(bytes, 'x', size);
  for (;;) {
    frame head;
    if (!native_read_all(in, &head, sizeof head)) _exit(0);
    if (head.size > 0 && !native_read_all(in, bytes, head.size)) _exit(74);
    head.size = is_sink ? 0 : is_source ? size : head.size;
    memcpy(copy, bytes, head.size);
    struct iovec parts[2] = {{&head, sizeof head}, {copy, head.size}};
    ssize_t wrote = writev(out, parts, 2);
    if (wrote < 0) _exit(74);
    size_t done = (size_t)wrote;
    if (done < sizeof head + head.size && !native_write_all(out, copy + (done - sizeof head), sizeof head + head.size - done)) _exit(74);
  }
}

static void start(process *all, int index, int count, size_t size) {
  int down[2], up[2];
  if (pipe2(down, O_CLOEXEC) < 0 || pipe2(up, O_CLOEXEC) < 0) native_die("pipe2");
  fcntl(down[1], F_SETPIPE_SZ, 1 << 20);
  fcntl(up[1], F_SETPIPE_SZ, 1 << 20);
  process *one = &all[index];
  one->pid = fork();
  if (one->pid < 0) native_die("fork");
  if (one->pid == 0) {
    for (int i = 0; i < index; i++) {
      close(all[i].to);
      close(all[i].from);
    }
    close(down[1]);
    close(up[0]);
    work(down[0], up[1], index == 0, index == count - 1, size);
  }
  close(down[0]);
  close(up[1]);
  one->to = down[1];
  one->from = up[0];
  fcntl(one->to, F_SETFL, O_NONBLOCK);
  fcntl(one->from, F_SETFL, O_NONBLOCK);
}

static int write_some(process *one) {
  int moved = 0;
  while (one->first != NULL && (one->in_hand < WINDOW || one->first->done > 0)) {
    batch *item = one->first;
    if (item->done == 0) one->in_hand++;
    size_t whole = sizeof item->head + item->head.size;
    struct iovec parts[2] = {{(char *)&item->head + item->done, sizeof item->head - item->done}, {item->bytes, item->head.size}};
    ssize_t wrote = item->done < sizeof item->head
                        ? writev(one->to, parts, 2)
                        : write(one->to, item->bytes + (item->done - sizeof item->head), whole - item->done);
    if (wrote < 0) {
      if (item->done == 0) one->in_hand--;
      if (errno == EAGAIN) break;
      native_die("write");
    }
    moved = 1;
    item->done += (size_t)wrote;
    if (item->done < whole) break;
    pop(&one->first, &one->last);
    item->done = 0;
    push(&one->sent_first, &one->sent_last, item);
  }
  return moved;
}

/* The next whole answer, or NULL. */
static batch *read_some(process *one, int *moved) {
  batch *item = one->sent_first;
  while (item != NULL) {
    ssize_t got;
    if (item->done < sizeof item->head) got = read(one->from, (char *)&item->head + item->done, sizeof item->head - item->done);
    else got = read(one->from, item->bytes + (item->done - sizeof item->head), sizeof item->head + item->head.size - item->done);
    if (got < 0 && errno == EAGAIN) return NULL;
    if (got <= 0) native_die("read");
    *moved = 1;
    item->done += (size_t)got;
    if (item->done < sizeof item->head || item->done < sizeof item->head + item->head.size) continue;
    pop(&one->sent_first, &one->sent_last);
    item->done = 0;
    one->in_hand--;
    return item;
  }
  return NULL;
}

int native_hub(int count, char **arguments) {
  if (count != 4) return 64;
  int processes = atoi(arguments[0]) + 2;
  size_t size = (size_t)atol(arguments[1]) * (size_t)atol(arguments[2]);
  uint64_t batches = strtoull(arguments[3], NULL, 10), made = 0, done = 0;
  if (processes < 2 || processes > MOST_PROCESSES || size == 0) return 64;
  signal(SIGPIPE, SIG_IGN);
  static process all[MOST_PROCESSES];
  for (int i = 0; i < processes; i++) start(all, i, processes, size);
  batch *free_first = NULL, *free_last = NULL;
  for (int i = 0; i < processes * WINDOW; i++) {
    batch *item = calloc(1, sizeof *item);
    if (item == NULL || (item->bytes = malloc(size)) == NULL) native_die("malloc");
    push(&free_first, &free_last, item);
  }
  while (done < batches) {
    int moved = 0;
    while (free_first != NULL && made < batches) {
      batch *item = pop(&free_first, &free_last);
      item->head = (frame){.batch = ++made, .size = 0};
      push(&all[0].first, &all[0].last, item);
    }
    for (int i = processes - 1; i >= 0; i--) {
      moved |= write_some(&all[i]);
      batch *item;
      while ((item = read_some(&all[i], &moved)) != NULL) {
        if (i + 1 < processes) {
          push(&all[i + 1].first, &all[i + 1].last, item);
        } else {
          done++;
          push(&free_first, &free_last, item);
        }
      }
    }
    if (moved) continue;
    struct pollfd wait[2 * MOST_PROCESSES];
    nfds_t waiting = 0;
    for (int i = 0; i < processes; i++) {
      if (all[i].first != NULL && (all[i].in_hand < WINDOW || all[i].first->done > 0))
        wait[waiting++] = (struct pollfd){.fd = all[i].to, .events = POLLOUT};
      if (all[i].sent_first != NULL) wait[waiting++] = (struct pollfd){.fd = all[i].from, .events = POLLIN};
    }
    poll(wait, waiting, -1);
  }
  for (int i = 0; i < processes; i++) close(all[i].to);
  for (int i = 0; i < processes; i++) waitpid(all[i].pid, NULL, 0);
  return 0;
}

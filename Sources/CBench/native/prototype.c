/* `prototype INPUT OUTPUT CHECKPOINT`: the reference job as a host of a few hundred lines would do it that has nothing else to
 * do: three worker processes, batches of a thousand lines in slots of shared memory, a header of 40 bytes in the pipe, the
 * output written here, a checkpoint synced by a thread of its own as often as the disk allows. A worker that dies is
 * replaced and its batches are sent again. No records, no validation, no checksum, no log of stages, no retries: how
 * fast it can be, not what it should do. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cbench.h"
#include "native.h"

enum { STEPS = 3, WINDOW = 4, LINES = 1000, BATCHES = WINDOW * STEPS + 2, SLOT = 1 << 20, SLOTS = 2 * BATCHES };

typedef struct header {
  uint64_t number, input_end;
  uint32_t size, from, to, reserved;
} header;

typedef struct batch {
  struct batch *next;
  header head;
} batch;

typedef struct worker {
  pid_t pid;
  int to, from, in_hand;
  batch *first, *last, *sent_first, *sent_last;
} worker;

typedef struct mark {
  uint64_t number, input_end, output_end, sum;
} mark;

static const char *names[STEPS] = {"normalize", "drop", "seal"};
static char *memory;
static worker workers[STEPS];
static int output, checkpoint;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static mark wanted, durable;
static int is_over;

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

static size_t work_on(cbench_step step, const char *in, size_t size, char *out) {
  const char *end = in + size, *newline;
  char *to = out;
  while (in < end && (newline = memchr(in, '\n', (size_t)(end - in))) != NULL) {
    ssize_t made = step(in, (size_t)(newline - in), to);
    if (made == CBENCH_MALFORMED) _exit(65);
    if (made >= 0) {
      to += made;
      *to++ = '\n';
    }
    in = newline + 1;
  }
  return (size_t)(to - out);
}

static void start(int index) {
  int down[2], up[2];
  if (pipe2(down, O_CLOEXEC) < 0 || pipe2(up, O_CLOEXEC) < 0) native_die("pipe2");
  worker *one = &workers[index];
  one->pid = fork();
  if (one->pid < 0) native_die("fork");
  if (one->pid == 0) {
    for (int i = 0; i < STEPS; i++) {
      if (i == index) continue;
      close(workers[i].to);
      close(workers[i].from);
    }
    close(down[1]);
    close(up[0]);
    cbench_step step = cbench_step_named(names[index]);
    header head;
    while (native_read_all(down[0], &head, sizeof head)) {
      head.size = (uint32_t)work_on(step, memory + (size_t)head.from * SLOT, head.size, memory + (size_t)head.to * SLOT);
      if (!native_write_all(up[1], &head, sizeof head)) break;
    }
    _exit(0);
  }
  close(down[0]);
  close(up[1]);
  one->to = down[1];
  one->from = up[0];
  fcntl(one->from, F_SETFL, O_NONBLOCK);
}

/* What the dead one had in hand is sent again: its input stands where it stood. */
static void replace(int index) {
  worker *one = &workers[index];
  waitpid(one->pid, NULL, 0);
  close(one->to);
  close(one->from);
  if (one->sent_first != NULL) {
    one->sent_last->next = one->first;
    if (one->first == NULL) one->last = one->sent_last;
    one->first = one->sent_first;
  }
  one->sent_first = one->sent_last = NULL;
  one->in_hand = 0;
  start(index);
}

static void commit(mark now) {
  now.sum = now.number * 31 + now.input_end * 17 + now.output_end * 7 + 1;
  if (fdatasync(output) < 0 || pwrite(checkpoint, &now, sizeof now, (off_t)(now.number & 1) * 512) < 0 || fdatasync(checkpoint) < 0)
    native_die("checkpoint");
  durable = now;
}

static void *commit_always(void *nothing) {
  pthread_mutex_lock(&lock);
  for (;;) {
    while (wanted.number == durable.number && !is_over) pthread_cond_wait(&changed, &lock);
    if (wanted.number == durable.number) break;
    mark now = wanted;
    pthread_mutex_unlock(&lock);
    commit(now);
    pthread_mutex_lock(&lock);
  }
  pthread_mutex_unlock(&lock);
  return nothing;
}

/* Fills a slot with whole lines, LINES at most; the size, 0 at the end of the input. */
static size_t fill(int input, char *slot, uint64_t at) {
  /* What the steps add must fit, too. */
  ssize_t got = pread(input, slot, SLOT / 2, (off_t)at);
  if (got < 0) native_die("input");
  char *from = slot, *end = slot + got, *newline;
  for (int lines = 0; lines < LINES && (newline = memchr(from, '\n', (size_t)(end - from))) != NULL; lines++) from = newline + 1;
  return (size_t)(from - slot);
}

int native_prototype(int count, char **arguments) {
  if (count != 3) return 64;
  signal(SIGPIPE, SIG_IGN);
  int shared = memfd_create("prototype", MFD_CLOEXEC);
  if (shared < 0 || ftruncate(shared, (off_t)SLOT * SLOTS) < 0) native_die("memfd_create");
  memory = mmap(NULL, (size_t)SLOT * SLOTS, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
  if (memory == MAP_FAILED) native_die("mmap");
  int input = open(arguments[0], O_RDONLY | O_CLOEXEC);
  output = open(arguments[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  checkpoint = open(arguments[2], O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (input < 0 || output < 0 || checkpoint < 0) native_die(arguments[0]);
  for (int i = 0; i < STEPS; i++) start(i);
  pthread_t thread;
  if (pthread_create(&thread, NULL, commit_always, NULL) != 0) return 70;
  static batch all[BATCHES];
  batch *free_first = NULL, *free_last = NULL;
  for (int i = 0; i < BATCHES; i++) {
    all[i].head.from = (uint32_t)(2 * i);
    all[i].head.to = (uint32_t)(2 * i + 1);
    push(&free_first, &free_last, &all[i]);
  }
  uint64_t read_to = 0, number = 0, written = 0;
  int at_end = 0, living = 0;
  while (!at_end || living > 0) {
    int moved = 0;
    while (!at_end && free_first != NULL) {
      size_t size = fill(input, memory + (size_t)free_first->head.from * SLOT, read_to);
      if (size == 0) {
        at_end = 1;
        break;
      }
      batch *item = pop(&free_first, &free_last);
      read_to += size;
      item->head.number = ++number;
      item->head.input_end = read_to;
      item->head.size = (uint32_t)size;
      push(&workers[0].first, &workers[0].last, item);
      living++;
    }
    for (int i = STEPS - 1; i >= 0; i--) {
      worker *one = &workers[i];
      while (one->first != NULL && one->in_hand < WINDOW) {
        if (!native_write_all(one->to, &one->first->head, sizeof(header))) {
          replace(i);
          continue;
        }
        push(&one->sent_first, &one->sent_last, pop(&one->first, &one->last));
        one->in_hand++;
        moved = 1;
      }
      while (one->sent_first != NULL) {
        header head;
        ssize_t got = read(one->from, &head, sizeof head);
        if (got < 0 && errno == EAGAIN) break;
        moved = 1;
        if (got != (ssize_t)sizeof head) {
          replace(i);
          break;
        }
        batch *item = pop(&one->sent_first, &one->sent_last);
        one->in_hand--;
        item->head.size = head.size;
        uint32_t slot = item->head.from;
        item->head.from = item->head.to;
        item->head.to = slot;
        if (i + 1 < STEPS) {
          push(&workers[i + 1].first, &workers[i + 1].last, item);
          continue;
        }
        if (!native_write_all(output, memory + (size_t)item->head.from * SLOT, item->head.size)) native_die("output");
        written += item->head.size;
        pthread_mutex_lock(&lock);
        wanted = (mark){item->head.number, item->head.input_end, written, 0};
        pthread_cond_signal(&changed);
        pthread_mutex_unlock(&lock);
        push(&free_first, &free_last, item);
        living--;
      }
    }
    if (moved) continue;
    struct pollfd wait[STEPS];
    for (int i = 0; i < STEPS; i++) wait[i] = (struct pollfd){.fd = workers[i].from, .events = POLLIN};
    poll(wait, STEPS, -1);
  }
  pthread_mutex_lock(&lock);
  is_over = 1;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
  pthread_join(thread, NULL);
  for (int i = 0; i < STEPS; i++) close(workers[i].to);
  for (int i = 0; i < STEPS; i++) waitpid(workers[i].pid, NULL, 0);
  return 0;
}

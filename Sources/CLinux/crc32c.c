/* CRC32C in hardware where there is one: see clinux.h for the polynomial. */
#include "clinux.h"

#include <pthread.h>
#include <string.h>

static uint32_t table[8][256];

__attribute__((constructor)) static void fill_table(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? 0x82F63B78u ^ (c >> 1) : c >> 1;
    table[0][i] = c;
  }
  for (uint32_t i = 0; i < 256; i++)
    for (int k = 1; k < 8; k++) table[k][i] = table[0][table[k - 1][i] & 0xff] ^ (table[k - 1][i] >> 8);
}

/* Slicing by eight: M. Kounavis, F. Berry, "A Systematic Approach to Building High Performance Software-based CRC
 * Generators", 2005. */
uint32_t clinux_crc32c_portable(uint32_t crc, const void *data, size_t size) {
  const uint8_t *p = data;
  uint32_t c = ~crc;
  while (size >= 8) {
    uint32_t low, high;
    memcpy(&low, p, 4);
    memcpy(&high, p + 4, 4);
    low ^= c;
    c = table[7][low & 0xff] ^ table[6][(low >> 8) & 0xff] ^ table[5][(low >> 16) & 0xff] ^ table[4][low >> 24] ^
        table[3][high & 0xff] ^ table[2][(high >> 8) & 0xff] ^ table[1][(high >> 16) & 0xff] ^ table[0][high >> 24];
    p += 8;
    size -= 8;
  }
  while (size--) c = table[0][(c ^ *p++) & 0xff] ^ (c >> 8);
  return ~c;
}

/* A shift is linear over GF(2): 32 columns say all of it. `matrix` times `vector`. */
static uint32_t times(const uint32_t matrix[32], uint32_t vector) {
  uint32_t sum = 0;
  for (int bit = 0; bit < 32; bit++) sum ^= (vector >> bit & 1) * matrix[bit];
  return sum;
}

/* columns of the shift by one byte, and a matrix squared. */
static void shift_by_one(uint32_t columns[32]) {
  for (int bit = 0; bit < 32; bit++) {
    uint32_t c = (uint32_t)1 << bit;
    columns[bit] = table[0][c & 0xff] ^ (c >> 8);
  }
}

static void square(uint32_t columns[32]) {
  uint32_t squared[32];
  for (int bit = 0; bit < 32; bit++) squared[bit] = times(columns, columns[bit]);
  memcpy(columns, squared, sizeof squared);
}

/* Shifts by 2^k bytes; sizes are below 2^BITS. Only the host joins checksums: filled when first needed. */
enum { BITS = 40 };
static uint32_t powers[BITS][32];
static pthread_once_t powers_once = PTHREAD_ONCE_INIT;

static void fill_powers(void) {
  shift_by_one(powers[0]);
  for (int k = 1; k < BITS; k++) {
    memcpy(powers[k], powers[k - 1], sizeof powers[k]);
    square(powers[k]);
  }
}

uint32_t clinux_crc32c_joined(uint32_t first, uint32_t second, size_t second_size) {
  pthread_once(&powers_once, fill_powers);
  for (int k = 0; second_size != 0 && k < BITS; k++, second_size >>= 1)
    if (second_size & 1) first = times(powers[k], first);
  return first ^ second;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

/* Three interleaved streams hide the latency of the crc32 instruction (three cycles, one a cycle). The two shifts that
 * join them are multiplications by x^(8 * LANE) modulo the polynomial, done with a table made at start. */
enum { LANE = 1024 };
static uint32_t shift_one[4][256], shift_two[4][256];

/* Every process pays for this before its `main`: ten squarings of the shift by one byte, not LANE steps an entry. */
__attribute__((constructor(200))) static void fill_shifts(void) {
  uint32_t columns[32];
  fill_table();
  shift_by_one(columns);
  for (size_t bytes = 1; bytes < LANE; bytes *= 2) square(columns);
  for (int k = 0; k < 4; k++)
    for (uint32_t i = 1; i < 256; i++) {
      uint32_t rest = i & (i - 1);
      shift_one[k][i] = shift_one[k][rest] ^ columns[8 * k + __builtin_ctz(i)];
      shift_two[k][i] = times(columns, shift_one[k][i]);
    }
}

static uint32_t shift(const uint32_t by[4][256], uint32_t c) {
  return by[0][c & 0xff] ^ by[1][(c >> 8) & 0xff] ^ by[2][(c >> 16) & 0xff] ^ by[3][c >> 24];
}

__attribute__((target("sse4.2"))) static uint32_t hardware(uint32_t crc, const void *data, size_t size) {
  const uint8_t *p = data;
  uint64_t c = (uint32_t)~crc;
  while (size >= 3 * LANE) {
    uint64_t c1 = 0, c2 = 0;
    for (size_t line = 0; line < LANE; line += 64) {
      /* What another processor has written comes twice as fast when asked for ahead: three lanes at once are more than the
       * hardware's own guesses follow. Beyond the end this does nothing. */
      for (size_t k = 0; k < 3; k++) __builtin_prefetch(p + 3 * LANE + 3 * line + 64 * k);
      for (size_t i = line; i < line + 64; i += 8) {
        uint64_t x, y, z;
        memcpy(&x, p + i, 8);
        memcpy(&y, p + LANE + i, 8);
        memcpy(&z, p + 2 * LANE + i, 8);
        c = _mm_crc32_u64(c, x);
        c1 = _mm_crc32_u64(c1, y);
        c2 = _mm_crc32_u64(c2, z);
      }
    }
    c = shift(shift_two, (uint32_t)c) ^ shift(shift_one, (uint32_t)c1) ^ (uint32_t)c2;
    p += 3 * LANE;
    size -= 3 * LANE;
  }
  while (size >= 8) {
    uint64_t x;
    memcpy(&x, p, 8);
    c = _mm_crc32_u64(c, x);
    p += 8;
    size -= 8;
  }
  while (size--) c = _mm_crc32_u8((uint32_t)c, *p++);
  return ~(uint32_t)c;
}

uint32_t clinux_crc32c(uint32_t crc, const void *data, size_t size) {
  return __builtin_cpu_supports("sse4.2") ? hardware(crc, data, size) : clinux_crc32c_portable(crc, data, size);
}

#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>

uint32_t clinux_crc32c(uint32_t crc, const void *data, size_t size) {
  const uint8_t *p = data;
  uint32_t c = ~crc;
  while (size >= 8) {
    uint64_t x;
    memcpy(&x, p, 8);
    c = __crc32cd(c, x);
    p += 8;
    size -= 8;
  }
  while (size--) c = __crc32cb(c, *p++);
  return ~c;
}

#else

uint32_t clinux_crc32c(uint32_t crc, const void *data, size_t size) { return clinux_crc32c_portable(crc, data, size); }

#endif

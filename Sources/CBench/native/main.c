/* stagehost-bench-native: what stagehost is measured against. */
#include <stdio.h>
#include <string.h>

#include "native.h"

int main(int count, char **arguments) {
  int code = 64;
  if (count > 1 && strcmp(arguments[1], "hub") == 0) code = native_hub(count - 2, arguments + 2);
  else if (count > 1 && strcmp(arguments[1], "prototype") == 0) code = native_prototype(count - 2, arguments + 2);
  else if (count == 2) code = native_step(arguments[1]);
  if (code == 64) {
    fprintf(stderr, "usage: stagehost-bench-native normalize|drop|seal < LINES > LINES\n"
                    "       stagehost-bench-native hub STAGES RECORDS BYTES BATCHES\n"
                    "       stagehost-bench-native prototype INPUT OUTPUT CHECKPOINT\n");
  }
  return code;
}

// A complete plugin in C++: upper case, one record after another.
#include <exception>
#include <memory>
#include <string>
#include <string_view>

#include "stage.h"

namespace {

std::string_view view(stage_bytes bytes) { return {static_cast<const char *>(bytes.data), bytes.size}; }
stage_bytes bytes(std::string_view text) { return {text.data(), text.size()}; }

class Shout {
 public:
  explicit Shout(const stage_host *host) {
    stage_bytes text{nullptr, 0};
    if (host->config_string(host, "suffix", &text) == STAGE_ERROR_TYPE) throw std::string("suffix: expected a string");
    suffix = view(text);
  }

  std::string process(const stage_record &record) const {
    if (record.value.size == 0) throw std::string("there is nothing to shout");
    std::string text(view(record.value));
    for (char &letter : text) {
      if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
    }
    return text + suffix;
  }

 private:
  std::string suffix;
};

// No exception may cross the border: each function catches its own.

stage_status open(const stage_host *host, void **self) {
  try {
    *self = std::make_unique<Shout>(host).release();
    return STAGE_OK;
  } catch (const std::string &reason) {
    host->fail_open(host, bytes(reason));
    return STAGE_FATAL;
  } catch (const std::exception &error) {
    host->fail_open(host, stage_text(error.what()));
    return STAGE_RETRY;
  }
}

stage_status process(void *self, const stage_batch *batch, const stage_output *output) {
  for (uint32_t i = 0; i < batch->count; i++) {
    output->begin(output, i);
    try {
      const std::string text = static_cast<const Shout *>(self)->process(batch->records[i]);
      output->emit(output, i, batch->records[i].key, bytes(text));
      output->done(output, i);
    } catch (const std::string &reason) {
      output->fail(output, i, STAGE_FAILURE_PERMANENT, bytes(reason), 0);
    } catch (const std::exception &error) {
      output->fail(output, i, STAGE_FAILURE_TRANSIENT, stage_text(error.what()), 0);
    }
  }
  return STAGE_OK;
}

void close(void *self) { delete static_cast<Shout *>(self); }

}  // namespace

extern "C" STAGE_EXPORT const stage_plugin *stage_plugin_v1(void) {
  static const stage_plugin plugin = [] {
    stage_plugin table{};
    table.struct_size = sizeof table;
    table.kind = STAGE_KIND_TRANSFORM;
    table.flags = STAGE_FLAG_RECORD_BY_RECORD;
    table.id = "shout";
    table.version = "1.0.0";
    table.description = "Turns ASCII letters to upper case.";
    table.config_schema = R"({"type":"object","properties":{"suffix":{"type":"string"}}})";
    table.open = open;
    table.process = process;
    table.close = close;
    return table;
  }();
  return &plugin;
}

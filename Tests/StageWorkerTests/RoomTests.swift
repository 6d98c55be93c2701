import StageModel
import StageWire
import Testing

/// Results that are made where they are read from: in the room of their request.
@Suite struct RoomTests {
    private static let size = 1 << 20
    private let room = SharedPlace(offset: 65_536, length: 200_000)
    private let many = (0..<400).map { TestRecord(UInt64($0), "key\($0)", String(repeating: "v", count: 60)) }

    private func host(_ plugin: String) throws -> TestHost {
        let host = try TestHost(plugin, memorySize: Self.size)
        try host.open()
        return host
    }

    @Test(arguments: [1, 2, 3, 7])
    func `a batch may have more records than its input, or fewer`(_ copies: Int) throws {
        let tools = try Toolbox()
        let plugin = try tools.transform(
            "copies",
            """
            for (uint32_t i = 0; i < batch->count; i++)
              for (int copy = 0; copy < (batch->records[i].key.size == 4 ? 2 : \(copies)); copy++)
                o->emit(o, i, batch->records[i].key, batch->records[i].value);
            """)
        let host = try host(plugin)
        let records = Array(many[..<300])
        let expected = records.flatMap { Array(repeating: $0, count: $0.key.count == 4 ? 2 : copies) }
        for batch in 0..<3 {
            try host.process([records], batch: UInt64(batch), room: room)
            let result = try host.receive()
            #expect(result.header.isShared)
            #expect(result.records == expected)
        }
    }

    @Test func `what a filter lets pass is in one piece, wherever in the room it begins`() throws {
        let tools = try Toolbox()
        let plugin = try tools.transform(
            "filter",
            """
            for (uint32_t i = 0; i < batch->count; i++)
              if (i % 2) o->emit(o, i, batch->records[i].key, batch->records[i].value);
            """)
        let host = try host(plugin)
        try host.process([many], room: SharedPlace(offset: 8192, length: 100_000))
        let result = try host.receive()
        #expect(result.header.isShared)
        #expect(result.header.secondArgument == 200 * 24)
        #expect(result.records == many.filter { $0.identifier % 2 == 1 })
    }

    @Test func `a result that outgrows its room while it is made is whole`() throws {
        let tools = try Toolbox()
        let plugin = try tools.transform(
            "growing",
            """
            for (uint32_t i = 0; i < batch->count; i++) {
              void *data = 0;
              stage_bytes value = batch->records[i].value;
              if (i % 3 == 0) { o->emit(o, i, batch->records[i].key, value); continue; }
              if (o->reserve(o, i, batch->records[i].key, 4096, &data)) return STAGE_FATAL;
              memcpy(data, value.data, value.size);
              if (i % 3 == 2) { o->commit(o, STAGE_DISCARD); o->emit(o, i, batch->records[i].key, value); }
              else o->commit(o, value.size);
            }
            """)
        let host = try host(plugin)
        for length in [20_000, 32_000, 40_000, 45_000, 100_000] {
            try host.process([many], room: SharedPlace(offset: 4096, length: length))
            let result = try host.receive()
            #expect(result.header.isShared == (length >= 40_000))
            #expect(result.records == many)
        }
    }

    @Test func `records out of order, and those that failed after all, are put right in a room, too`() throws {
        let tools = try Toolbox()
        let plugin = try tools.transform(
            "backwards",
            """
            for (uint32_t i = batch->count; i-- > 0;) {
              o->emit(o, i, batch->records[i].key, batch->records[i].value);
              if (i % 5 == 0) o->fail(o, i, STAGE_FAILURE_PERMANENT, stage_text("no"), 0);
            }
            """)
        let host = try host(plugin)
        for _ in 0..<2 {
            try host.process([many], room: room)
            let result = try host.receive()
            #expect(result.header.isShared)
            #expect(result.records == many.filter { $0.identifier % 5 != 0 })
            #expect(result.failures.count == 80)
        }
    }

    @Test func `partial frames take their records out of the room, and the result has the others`() throws {
        let tools = try Toolbox()
        let plugin = try tools.transform(
            "slow",
            """
            for (uint32_t i = 0; i < batch->count; i++) {
              o->emit(o, i, batch->records[i].key, batch->records[i].value);
              if (i == 20) { usleep(20000); for (uint32_t k = 0; k <= i; k += 2) o->done(o, k); }
            }
            """)
        let host = try host(plugin)
        try host.process([many], room: room)
        let frames = try host.receiveAll()
        #expect(frames.count > 1)
        #expect(frames.last?.header.isShared == true)
        #expect(frames.flatMap(\.records).sorted { $0.identifier < $1.identifier } == many)
    }

    @Test func `a pointer that a plugin keeps leads nowhere that others read`() throws {
        let tools = try Toolbox()
        let plugin = try tools.transform(
            "keeps", before: "static char *kept[400]; static int calls;",
            """
            if (calls++ > 0) for (uint32_t i = 0; i < batch->count; i++) memset(kept[i], '!', 60);
            for (uint32_t i = 0; i < batch->count; i++) {
              void *data = 0;
              stage_bytes value = batch->records[i].value;
              if (o->reserve(o, i, batch->records[i].key, value.size, &data)) return STAGE_FATAL;
              memcpy(data, value.data, value.size);
              kept[i] = data;
              if (o->commit(o, value.size)) return STAGE_FATAL;
              memset(data, '?', value.size);
            }
            """)
        let host = try host(plugin)
        try host.process([many], room: room)
        #expect(try host.receive().records == many)
        let before = host.bytes(at: room)
        try host.process([many], room: SharedPlace(offset: 524_288, length: 200_000))
        #expect(try host.receive().records == many)
        #expect(host.bytes(at: room) == before)
    }

    /// Of the two mappings the one for writing is terabytes away from what a plugin has; no descriptor is left to write through, and
    /// a process that the plugin forks has no such mapping at all.
    @Test func `a plugin finds nothing through which it could write to the memory by mistake`() throws {
        let tools = try Toolbox()
        let plugin = try tools.transform(
            "looks", before: """
            #include <dirent.h>
            #include <sys/wait.h>
            static long writable(void) {
              char line[512]; unsigned long start, end; char mode[5]; long least = -1;
              unsigned long here = (unsigned long)&line, heap = (unsigned long)malloc(1), code = (unsigned long)&writable;
              unsigned long own[] = {here, heap, code};
              FILE *maps = fopen("/proc/self/maps", "r");
              while (fgets(line, sizeof line, maps)) {
                if (!strstr(line, "memfd:test") || sscanf(line, "%lx-%lx %4s", &start, &end, mode) != 3 || mode[1] != 'w') continue;
                for (int i = 0; i < 3; i++) {
                  long distance = own[i] < start ? start - own[i] : own[i] - end;
                  if (least < 0 || distance < least) least = distance;
                }
              }
              fclose(maps);
              return least;
            }
            """,
            """
            long distance = writable();
            int links = 0, status = 0;
            DIR *folder = opendir("/proc/self/fd");
            for (struct dirent *entry; (entry = readdir(folder));) {
              char path[300], target[300] = "";
              snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
              if (readlink(path, target, sizeof target - 1) > 0 && strstr(target, "memfd:test")) links++;
            }
            closedir(folder);
            pid_t child = fork();
            if (child == 0) _exit(writable() < 0 ? 7 : 1);
            waitpid(child, &status, 0);
            o->emit(o, 0, stage_text(distance > (1L << 36) ? "far" : "near"), stage_text(links ? "open" : "closed"));
            o->emit(o, 1, stage_text("child"), stage_text(WIFEXITED(status) && WEXITSTATUS(status) == 7 ? "without" : "with"));
            """)
        let host = try host(plugin)
        try host.process([Array(many[..<2])], room: room)
        let found = try host.receive().records
        #expect(found.map(\.key) == ["far", "child"])
        #expect(found.map(\.value) == ["closed", "without"])
    }
}

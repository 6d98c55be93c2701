import Glibc
import LinuxIO
import StageCommand
import StageConfig
import StageRuntime
import StageScheduler

/// A folder with all that it takes to run one record in one plugin: by `run.sh`, from anywhere, without a job.
struct ReproFolder {
    let path: String
    var plugin: String { path + "/" + pluginName }
    let pluginName: String
    var requests: String { path + "/requests" }
    var answers: String { path + "/answers" }
    var page: String { path + "/page" }

    /// Writes the folder.
    ///
    /// - Parameters:
    ///   - plugin: The library; it is copied.
    ///   - directory: Where the worker is to run: the folder of the pipeline file.
    init(
        at path: String, _ reproduction: Reproduction, plugin: String, letter: LetterView, job: String, directory: String
    ) throws(CommandFailure) {
        self.path = path
        pluginName = plugin.split(separator: "/").last.map(String.init) ?? "libstage-plugin.so"
        do throws(SystemError) {
            try createFolders(path)
            try write("requests", reproduction.requests)
            try write(pluginName, try readSmallFile(plugin, limit: 1 << 30))
            try write("record.key", reproduction.record.key)
            try write("record.value", reproduction.record.value)
            try write("config.json", Array((reproduction.configuration + "\n").utf8))
            try write("letter.json", Array((letter.json.json(indented: true) + "\n").utf8))
            if let state = reproduction.checkpoint { try write("state", state) }
            try reproduction.makePage(at: page)
            try write("run.sh", Array(script(letter, job, directory).utf8))
        } catch {
            throw CommandFailure("the folder of the letter cannot be written: \(error)", .cannotCreate)
        }
        _ = unsafe chmod(path + "/run.sh", 0o755)
    }

    private func write(_ name: String, _ bytes: [UInt8]) throws(SystemError) {
        try writeFileAtomically(path + "/" + name, bytes, durable: false)
    }

    private func script(_ letter: LetterView, _ job: String, _ directory: String) -> String {
        #"""
        #!/bin/sh
        # One record in one plugin: letter \#(letter.number) of job \#(job), stage \#(letter.stage).
        # Usage: run.sh [--gdb | --valgrind]
        # Exits as the worker does: 0 when it has worked on the record, 128 + N when signal N killed it.
        # The worker program is \$STAGEHOST_WORKER, or the one that is named below, or the one on PATH.
        here=$(cd "$(dirname "$0")" && pwd) || exit 70
        worker=${STAGEHOST_WORKER:-\#(quoted(RunSetup.workerProgram))}
        [ -x "$worker" ] || worker=$(command -v stagehost-worker) || {
          echo "error: no stagehost-worker: neither $worker nor on PATH; name it in STAGEHOST_WORKER" >&2
          exit 69
        }
        plugin=$here/\#(quoted(pluginName))
        cd \#(quoted(directory)) 2> /dev/null || cd "$here" || exit 70
        export SWIFT_BACKTRACE=enable=no SHELL=/bin/sh
        unset STAGEHOST_HOST_PID STAGEHOST_RUN
        need() {
          command -v "$1" > /dev/null || { echo "error: $1 is not installed; install it, or run without --$1" >&2; exit 69; }
        }
        cp "$here/page" "$here/page.run" || exit 73
        case "$1" in
          "")
            "$worker" "$plugin" < "$here/requests" > "$here/answers" 3<> "$here/page.run" ;;
          --gdb)
            need gdb
            batch=-batch
            # gdb leaves as the worker did: with a signal it is still there, and has no exit code.
            quit='quit $_isvoid($_exitcode) ? 128 + $_siginfo.si_signo : $_exitcode'
            if [ -t 0 ]; then batch=-q quit=; fi
            export REPRO_FOLDER="$here" REPRO_PLUGIN="$plugin"
            # The shell that starts the worker sees to the names and the descriptors.
            gdb "$batch" -iex "set complaints 0" \
              -ex 'run "$REPRO_PLUGIN" < "$REPRO_FOLDER/requests" > "$REPRO_FOLDER/answers" 3<> "$REPRO_FOLDER/page.run"' \
              -ex bt ${quit:+-ex "$quit"} "$worker" ;;
          --valgrind)
            need valgrind
            # Some releases of valgrind stop at debug information that they do not know; that of the plugin is what matters.
            if strip --strip-debug -o "$here/worker.run" "$worker" 2> /dev/null; then
              export LD_LIBRARY_PATH="$(dirname "$worker")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
              worker=$here/worker.run
            fi
            valgrind "$worker" "$plugin" < "$here/requests" > "$here/answers" 3<> "$here/page.run" ;;
          *)
            echo "error: found $1, expected nothing, --gdb or --valgrind" >&2
            exit 64 ;;
        esac
        code=$?
        rm -f "$here/page.run" "$here/worker.run"
        [ "$code" -lt 128 ] || echo "the worker was killed by signal $((code - 128)) (SIG$(kill -l $((code - 128))))" >&2
        exit "$code"

        """#.replacing("\\$", with: "$")
    }

    /// A word for a shell.
    private func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "'\\''") + "'" }
}

import CLinux
import CWorker
import Glibc
import StageWire
import Synchronization

/// The worker process: loads one plugin, and answers the host's frames; see `docs/wire.md`.
package enum Worker {
    /// Runs the worker. `arguments` are those of the process, without its name.
    /// - Returns: The exit code.
    package static func run(_ arguments: [String]) -> Int32 {
        _ = clinux_die_with_parent()
        let parent = cworker_expected_parent()
        if parent != 0, getppid() != parent {
            // The host died before the line above: nobody would end us.
            say("the host (process \(parent)) has gone")
            return 75
        }
        cworker_prepare()
        cworker_limit()
        if arguments.count == 2, arguments[0] == "--describe" { return describe(arguments[1]) }
        guard arguments.count == 1, let path = arguments.first, !path.hasPrefix("-") else {
            say("found \(arguments.count) arguments, expected PLUGIN or --describe PLUGIN; the host starts this program")
            return 64
        }
        return serve(path)
    }

    private static func serve(_ path: String) -> Int32 {
        let writer: FrameWriter
        do {
            let moved = try Descriptors.takeForServing()
            wordsDescriptor.store(moved.words, ordering: .relaxed)
            writer = FrameWriter(descriptor: moved.answers)
            var layout = unsafe moved.page.crashLayout
            unsafe try check("crash handler", cworker_watch_crashes(&layout, moved.words))
            do {
                let plugin = try PluginLibrary.load(path)
                try Server(
                    plugin: plugin, page: moved.page, reader: RequestReader(descriptor: moved.requests), writer: writer,
                    payloads: moved.payloads
                ).run()
            } catch let refusal as Refusal {
                return refuse(refusal, writer)
            }
        } catch {
            depart(Departure(of: error))
        }
        return 0
    }

    private static func refuse(_ refusal: Refusal, _ writer: FrameWriter) -> Int32 {
        var header = FrameHeader(.refused)
        header.status = refusal.status
        header.dispatch = refusal.dispatch
        var items = ItemWriter()
        items.append(.message, text: refusal.message)
        writer.send(header, items: items.bytes)
        cworker_leave(69)
    }

    private static func describe(_ path: String) -> Int32 {
        do {
            let moved = try Descriptors.takeForDescribing()
            wordsDescriptor.store(moved.words, ordering: .relaxed)
            var layout = unsafe Page.crashLayoutWithoutPage
            unsafe try check("crash handler", cworker_watch_crashes(&layout, moved.words))
            writeText(Description.json(try PluginLibrary.load(path)) + "\n", to: moved.output)
            cworker_leave(0)
        } catch let refusal as Refusal {
            say(refusal.message)
            cworker_leave(69)
        } catch {
            depart(Departure(of: error))
        }
    }

    private static func check(_ subject: String, _ error: Int32) throws(Departure) {
        if error < 0 { throw .system(subject, error) }
    }
}

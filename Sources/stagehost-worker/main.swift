import Glibc
import StageWorker

exit(Worker.run(Array(CommandLine.arguments.dropFirst())))

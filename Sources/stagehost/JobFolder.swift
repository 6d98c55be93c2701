import LinuxIO
import StageCommand

/// Where jobs are: a folder each, below the state directory.
enum JobFolder {
    static func isValidName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 100 && name.first != "."
            && name.unicodeScalars.allSatisfy {
                $0.properties.isAlphabetic || ("0"..."9").contains($0) || $0 == "-" || $0 == "_" || $0 == "."
            }
    }

    static func path(_ job: String, _ arguments: ParsedCommand) -> String {
        let state = arguments.stateDirectory(environment: Surroundings.environment)
        let absolute = state.hasPrefix("/") ? state : currentFolder() + "/" + state
        return absolute + "/" + job
    }
}

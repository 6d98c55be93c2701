package import StageScheduler

/// The scheduler's view of what the logs hold. (The name `Recovery` also means something in the log's own module.)
package typealias JobRecovery = Recovery

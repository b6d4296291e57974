internal import Logging

extension Logger {
    /// Writes what is as grave as `level` or graver to standard error.
    static func standardError(_ level: Logger.Level, label: String = "cohort") -> Logger {
        var logger = Logger(label: label) { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = level
        return logger
    }
}

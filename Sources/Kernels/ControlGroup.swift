internal import Foundation

/// What the control groups of this process may use, of version 1 or 2: containers and services are limited by them.
package struct ControlGroup: Sendable, Equatable {
    /// Processors' worth of time, rounded down, at least 1; nil: no limit.
    package let processors: Int?
    /// Bytes; nil: no limit.
    package let memoryBytes: Int?

    /// - Parameters:
    ///   - groups: a file that names the process's groups, a line "ID:CONTROLLERS:PATH" for each hierarchy.
    ///   - root: where the hierarchies are mounted. A group that is not there is one that a container does not see:
    ///     the container's own is at the root.
    package init(describedIn groups: String = "/proc/self/cgroup", under root: String = "/sys/fs/cgroup") {
        let lines = (try? String(contentsOfFile: groups, encoding: .utf8))?.split(separator: "\n") ?? []
        var processors: [Int] = []
        var memory: [Int] = []
        for line in lines {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            guard fields.count == 3 else { continue }
            let controllers = fields[1].split(separator: ",")
            for folder in Self.folders(of: fields[2]) {
                if fields[1].isEmpty {
                    processors += Self.quota(Self.words("\(root)\(folder)/cpu.max"))
                    memory += Self.words("\(root)\(folder)/memory.max").compactMap { Int($0) }
                }
                if controllers.contains("cpu") {
                    let group = "\(root)/cpu\(folder)"
                    processors += Self.quota(
                        Self.words("\(group)/cpu.cfs_quota_us") + Self.words("\(group)/cpu.cfs_period_us"))
                }
                if controllers.contains("memory") {
                    memory += Self.words("\(root)/memory\(folder)/memory.limit_in_bytes").compactMap { Int($0) }
                }
            }
        }
        self.processors = processors.min()
        memoryBytes = memory.filter { $0 < Self.unlimited }.min()
    }

    /// Version 1 says so with all bits of a whole number of pages.
    private static let unlimited = 1 << 62

    /// A group's path and those of the groups that it is in, whose limits hold as well.
    private static func folders(of path: String) -> [String] {
        let names = path.split(separator: "/")
        return (0...names.count).map { count in names.prefix(count).map { "/\($0)" }.joined() }
    }

    /// Of the microseconds in each period of microseconds; empty without a limit ("max", or -1).
    private static func quota(_ words: [Substring]) -> [Int] {
        let numbers = words.compactMap { Int($0) }
        guard numbers.count == 2, numbers[0] > 0, numbers[1] > 0 else { return [] }
        return [max(1, numbers[0] / numbers[1])]
    }

    private static func words(_ path: String) -> [Substring] {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        return text.split { $0.isWhitespace }
    }
}

internal import Foundation

/// How processors share cores, and cores nodes of memory (NUMA), as Linux describes it.
package struct Topology: Sendable, Equatable {
    /// What has arithmetic and caches of its own, which its processors share (simultaneous multithreading).
    package struct Core: Sendable, Equatable {
        package let processors: [Int]
        package let node: Int

        package init(processors: [Int], node: Int) {
            self.processors = processors
            self.node = node
        }
    }

    /// Node by node, and within a node by their first processors.
    package let cores: [Core]

    /// - Parameters:
    ///   - processors: those to tell of; others of their cores are left out.
    ///   - folder: Linux's description of the machine. What it does not say is taken for the simplest: a processor is a
    ///     core of its own, on node 0.
    package init(of processors: [Int] = Processors.allowed(), describedIn folder: String = Self.description) {
        let nodes = Self.nodes(describedIn: folder)
        var processorsOfCores: [[Int]: [Int]] = [:]
        for processor in processors.sorted() {
            let siblings = Self.list("\(folder)/cpu/cpu\(processor)/topology/thread_siblings_list")
            processorsOfCores[[nodes[processor] ?? 0, siblings.min() ?? processor], default: []].append(processor)
        }
        cores = processorsOfCores.map { Core(processors: $0.value, node: $0.key[0]) }
            .sorted { ($0.node, $0.processors[0]) < ($1.node, $1.processors[0]) }
    }

    /// Those with a core, ascending.
    package var nodes: [Int] { Set(cores.map(\.node)).sorted() }

    /// Core by core.
    package var processors: [Int] { cores.flatMap(\.processors) }

    package func processors(of node: Int) -> [Int] { cores.filter { $0.node == node }.flatMap(\.processors) }

    /// Bytes of memory of a node; nil: it has none, or the system does not tell.
    package static func memoryBytes(of node: Int, describedIn folder: String = Self.description) -> Int? {
        // A line is "Node 1 MemTotal:  263997484 kB".
        let text = try? String(contentsOfFile: "\(folder)/node/node\(node)/meminfo", encoding: .utf8)
        let line = text?.split(separator: "\n").first { $0.contains(" MemTotal:") }
        let words = line?.split(separator: " ") ?? []
        guard words.count > 1, words.last == "kB", let kilobytes = Int(words[words.count - 2]),
            kilobytes > 0
        else { return nil }
        let (bytes, isTooMany) = kilobytes.multipliedReportingOverflow(by: 1024)
        return isTooMany ? nil : bytes
    }

    package static let description = "/sys/devices/system"

    /// By processor.
    private static func nodes(describedIn folder: String) -> [Int: Int] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/node")) ?? []
        var result: [Int: Int] = [:]
        for name in names {
            guard name.hasPrefix("node"), let node = Int(name.dropFirst(4)) else { continue }
            for processor in list("\(folder)/node/\(name)/cpulist") { result[processor] = node }
        }
        return result
    }

    /// The numbers of a file such as "0-3,8-11"; empty if it is not there or holds anything else.
    private static func list(_ path: String) -> [Int] {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return [] }
        var result: [Int] = []
        for part in text.trimmingCharacters(in: .whitespacesAndNewlines).components(separatedBy: ",") {
            let ends = part.components(separatedBy: "-").map { Int($0) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2, first <= last,
                last < Processors.most
            else { return [] }
            result += first...last
        }
        return result
    }
}

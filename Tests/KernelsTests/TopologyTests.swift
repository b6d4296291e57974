import Foundation
import Kernels
import Testing

@Suite struct TopologyTests {
    /// A description of a machine as Linux gives it, gone with `body`.
    private static func describe(
        _ nodes: [Int: String], siblings: [Int: String] = [:], meminfo: [Int: String] = [:],
        _ body: (String) throws -> Void
    ) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("topology-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        func write(_ text: String, _ name: String) throws {
            let file = folder.appendingPathComponent(name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data("\(text)\n".utf8).write(to: file)
        }
        try write("0-1", "node/online")
        for (node, list) in nodes { try write(list, "node/node\(node)/cpulist") }
        for (node, text) in meminfo { try write(text, "node/node\(node)/meminfo") }
        for (processor, list) in siblings { try write(list, "cpu/cpu\(processor)/topology/thread_siblings_list") }
        try body(folder.path)
    }

    /// Two sockets of two cores of two processors, numbered as servers do.
    private static let server = [0: "0,4", 4: "0,4", 1: "1,5", 5: "1,5", 2: "2,6", 6: "2,6", 3: "3,7", 7: "3,7"]

    @Test("cores of two nodes, each with the processors that share it")
    func server() throws {
        try Self.describe([0: "0-1,4-5", 1: "2-3,6-7"], siblings: Self.server) { folder in
            let topology = Topology(of: Array(0..<8), describedIn: folder)
            #expect(
                topology.cores == [
                    .init(processors: [0, 4], node: 0), .init(processors: [1, 5], node: 0),
                    .init(processors: [2, 6], node: 1), .init(processors: [3, 7], node: 1),
                ])
            #expect(topology.nodes == [0, 1] && topology.processors(of: 1) == [2, 6, 3, 7])
        }
    }

    @Test("processes that share two nodes get one each, also where nodes take turns at the numbers")
    func dealsNodes() throws {
        try Self.describe([0: "0,2,4,6", 1: "1,3,5,7"], siblings: Self.server) { folder in
            let cores = Topology(of: Array(0..<8), describedIn: folder).cores
            #expect(cores.map(\.processors) == [[0, 4], [2, 6], [1, 5], [3, 7]])
            #expect(Processors.dealt(cores, to: 2).map { $0.map(\.node) } == [[1, 1], [0, 0]])
        }
    }

    @Test("a team that fills a machine has a core for each thread, or a processor; another has none")
    func placesThreads() throws {
        try Self.describe([0: "0-1,4-5", 1: "2-3,6-7"], siblings: Self.server) { folder in
            let topology = Topology(of: Array(0..<8), describedIn: folder)
            #expect(ThreadTeam.places(of: 4, on: topology) == [[0, 4], [1, 5], [2, 6], [3, 7]])
            #expect(ThreadTeam.places(of: 8, on: topology) == [[0], [4], [1], [5], [2], [6], [3], [7]])
            #expect([1, 2, 3, 5, 7, 9, 16].allSatisfy { ThreadTeam.places(of: $0, on: topology) == nil })
        }
    }

    @Test("of a process that may not use all processors, those alone")
    func part() throws {
        try Self.describe([0: "0-1,4-5", 1: "2-3,6-7"], siblings: Self.server) { folder in
            let topology = Topology(of: [5, 6, 7], describedIn: folder)
            #expect(topology.cores.map(\.processors) == [[5], [6], [7]] && topology.nodes == [0, 1])
            #expect(Topology(of: [1, 5], describedIn: folder).nodes == [0])
            #expect(Topology(of: [4, 0], describedIn: folder).cores == [.init(processors: [0, 4], node: 0)])
        }
    }

    @Test(
        "what is not described, or makes no sense, is a core of its own on node 0",
        arguments: ["", "x", "0-", "-1", "5-3", "0-1-2", "0,,1 2", "0-99999999999"])
    func undescribed(_ list: String) throws {
        let simple = [3, 8].map { Topology.Core(processors: [$0], node: 0) }
        #expect(Topology(of: [8, 3], describedIn: "/nowhere").cores == simple)
        try Self.describe([1: list], siblings: [3: list, 8: list]) { folder in
            #expect(Topology(of: [3, 8], describedIn: folder).cores == simple)
        }
    }

    @Test("bytes of a node")
    func memory() throws {
        let text = "Node 1 MemTotal:       263997484 kB\nNode 1 MemFree:        1 kB"
        try Self.describe(
            [1: "0"], meminfo: [0: "Node 0 MemTotal: 9999999999999999999 kB", 1: text, 3: "Node 3 MemTotal: 0 kB"]
        ) {
            folder in
            #expect(Topology.memoryBytes(of: 1, describedIn: folder) == 263_997_484 << 10)
            #expect(Topology.memoryBytes(of: 0, describedIn: folder) == nil)
            #expect(Topology.memoryBytes(of: 2, describedIn: folder) == nil)
            #expect(Topology.memoryBytes(of: 3, describedIn: folder) == nil)
        }
    }

    @Test("this machine's processors are all on some core")
    func own() {
        #expect(Topology().processors.sorted() == Processors.allowed())
    }
}

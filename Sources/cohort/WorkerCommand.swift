internal import ArgumentParser
internal import Dispatch
internal import Foundation
internal import Kernels
internal import Logging
internal import Transport
internal import Wire
internal import Worker

struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Runs one expert worker.",
        discussion: """
            The worker dials the coordinator, proves that it knows the cluster secret, loads the experts that it is \
            given from its own copy of the checkpoint or from other workers, and serves them until the coordinator \
            leaves. When the link is lost it dials again for as long as --connect-timeout says.
            """)

    @Option(help: "The coordinator's address, as HOST:PORT.")
    var coordinator: String

    @Option(help: "A file that holds the cluster secret; only its owner may read it.")
    var secretFile: String

    @Option(help: "The worker's name in the cluster file. Default: the host's name.")
    var name: String?

    @Option(help: "This host's path to the checkpoint. Default: the coordinator's path.")
    var model: String?

    @Option(
        help:
            "Bytes that experts may take, such as 240GB. Default: what the machine, the node or the container has.")
    var memory: MemorySize?

    @Option(
        help: """
            Use the cores of this NUMA node, and its memory first; a host with several wants a worker for each. \
            Default: all nodes, and memory from each by turns.
            """)
    var numaNode: Int?

    @Option(help: "Cores to use. Default: all that this process may use.")
    var threads: Int?

    @Option(help: "Seconds to go on dialling a coordinator that does not answer, or that was lost.")
    var connectTimeout = 60

    @Flag(help: "Wait for the next coordinator also when one has left in order, instead of ending.")
    var rejoin = false

    @Flag(help: "Log warnings and errors only.")
    var quiet = false

    /// Set by a coordinator that starts its own workers: what ends it is its own to tell, and they end without a word.
    @Flag(help: .hidden)
    var local = false

    /// Set by a coordinator that starts its own workers: each has its own part of the machine.
    @Option(help: .hidden)
    var processors: CountList?

    func validate() throws {
        _ = try address()
        if let name, !(1...WireLimit.nameBytes ~= name.utf8.count) {
            throw ValidationError("--name has \(name.utf8.count) bytes: give 1 to \(WireLimit.nameBytes)")
        }
        if let threads, !(1...1024 ~= threads) { throw ValidationError("--threads is \(threads): give 1 to 1024") }
        if let numaNode {
            let nodes = Topology().nodes
            guard nodes.contains(numaNode) else {
                let known = nodes.map(String.init).joined(separator: ", ")
                throw ValidationError("--numa-node is \(numaNode): this process may run on these nodes: \(known)")
            }
        }
        guard 1...Self.longestTimeout ~= connectTimeout else {
            throw ValidationError("--connect-timeout is \(connectTimeout): give 1 to \(Self.longestTimeout) seconds")
        }
    }

    func run() throws {
        let (host, port) = try address()
        if let own = processors?.values ?? numaNode.map({ Topology().processors(of: $0) }) {
            Machine.keepProcess(on: own)
        }
        let nodeMemory = numaNode.flatMap { Topology.memoryBytes(of: $0) } ?? .max
        let options = WorkerService.Options(
            name: name ?? Machine.hostName, host: host, port: port, modelPath: model,
            memoryBytes: memory?.byteCount ?? min(nodeMemory, Machine.memoryBytes),
            threads: threads ?? Machine.coreCount,
            patience: .seconds(connectTimeout), rejoins: rejoin ? .always : local ? .never : .afterLoss)
        let secret = try ClusterSecret(file: secretFile)
        let logger = Logger.standardError(quiet ? .warning : .info, label: "cohort.worker")
        let time = MonotonicTime()
        let notifier = ServiceNotifier()
        let service = WorkerService(
            options, secret: secret, exchange: try TCPExchange(time: time), time: time, logger: logger
        ) { stage in
            notifier.notify(stage)
            logger.info("worker", metadata: ["stage": "\(stage)"])
        }
        let signals = StopSignals { _ in service.stop() }
        defer { signals.cancel() }
        do {
            try service.run()
        } catch WorkerError.lostCoordinator where local {
            throw ExitCode(ExitStatus.unreachable)
        } catch let error as TransportError where local && error.kind == .refused {
            throw ExitCode(ExitStatus.unreachable)
        }
    }

    private func address() throws -> (host: String, port: Int) {
        if local, coordinator.hasPrefix("@") { return (coordinator, 0) }
        guard let colon = coordinator.lastIndex(of: ":"),
            let port = Int(coordinator[coordinator.index(after: colon)...]),
            1...65535 ~= port, colon != coordinator.startIndex
        else {
            throw ValidationError("--coordinator is \"\(coordinator)\": give HOST:PORT, such as 10.0.0.1:7077")
        }
        let host = coordinator[..<colon].trimmingPrefix("[")
        return (String(host.hasSuffix("]") ? host.dropLast() : host), port)
    }

    private static let longestTimeout = 86_400
}

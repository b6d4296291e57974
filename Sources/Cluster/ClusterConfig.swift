/// A cluster file: where the coordinator and the workers run and what they have.
package struct ClusterConfig: Hashable, Sendable {
    package struct Coordinator: Hashable, Sendable {
        /// The address that workers dial.
        package let host: String
        package let port: Int
        package let memoryBytes: Int
        /// Bytes per second; nil where the file does not say.
        package let memoryBandwidth: Double?
        package let linkBandwidth: Double?
        package let threads: Int?
    }

    package struct Worker: Hashable, Sendable {
        package let name: String
        package let host: String
        package let memoryBytes: Int
        /// Bytes per second; nil where the file does not say.
        package let memoryBandwidth: Double?
        package let linkBandwidth: Double?
        /// The worker's own path to the checkpoint; nil: the cluster's.
        package let model: String?
        package let threads: Int?
    }

    /// The file it was read from, as errors name it.
    package let file: String
    package let coordinator: Coordinator
    /// The file that holds the cluster's secret, on each host.
    package let secretFile: String
    /// The checkpoint folder where a worker names none of its own.
    package let model: String?
    /// How long the coordinator waits for all workers to join and to load.
    package let joinTimeoutMilliseconds: Int
    package let workers: [Worker]
    package let parallelism: Parallelism

    /// What 256 GiB of experts take from a disk at 0.5 GB/s, about.
    package static let defaultJoinTimeoutMilliseconds = 600_000

    /// Reads and checks a cluster file.
    package init(file: String) throws(ClusterConfigError) {
        try self.init(yaml: ConfigDocument.read(file), file: file)
    }

    /// - Parameter file: how errors name the text.
    package init(yaml: String, file: String) throws(ClusterConfigError) {
        let root = try ConfigSection(
            ConfigDocument.compose(yaml, file: file), file: file, name: "the cluster file",
            known: ["coordinator", "secret-file", "model", "join-timeout", "parallelism", "workers"])
        self.file = file
        coordinator = try Coordinator(root)
        secretFile = try root.text("secret-file", example: "/etc/cohort/secret")
        model = try root.text(ifPresent: "model", example: "/models/DeepSeek-R1")
        joinTimeoutMilliseconds =
            try root.value(ifPresent: "join-timeout", example: "10min", Quantity.milliseconds)
            ?? Self.defaultJoinTimeoutMilliseconds
        workers = try Worker.list(root)
        parallelism = try Parallelism(root, workers: workers.count)
    }
}

extension ClusterConfig.Coordinator {
    fileprivate init(_ root: ConfigSection) throws(ClusterConfigError) {
        let section = try ConfigSection(
            root.node("coordinator", example: "{host: 10.0.0.1, port: 7077, memory: 64GiB}"), file: root.file,
            name: "coordinator", known: ["host", "port", "memory", "memory-bandwidth", "link-bandwidth", "threads"])
        host = try section.host(section.text("host", example: "10.0.0.1"))
        port = try section.integer("port", in: 1...65_535, example: "7077")
        memoryBytes = try section.memory()
        memoryBandwidth = try section.bandwidth("memory-bandwidth")
        linkBandwidth = try section.bandwidth("link-bandwidth")
        threads = try section.threads()
    }
}

extension ClusterConfig.Worker {
    /// A bound for what ranges in names may expand to, far above any cluster this is meant for.
    static let maximumCount = 4096

    fileprivate static func list(_ root: ConfigSection) throws(ClusterConfigError) -> [Self] {
        let entries = try root.nodes("workers", example: "[{name: w1, host: 10.0.0.2, memory: 256GiB}]")
        guard !entries.isEmpty else {
            throw root.error(
                .wrongType(key: "workers", found: "an empty list", expected: "one worker or more"), at: "workers")
        }
        var workers: [Self] = []
        var lineOfName: [String: Int] = [:]
        for (index, entry) in entries.enumerated() {
            let section = try ConfigSection(
                entry, file: root.file, name: "worker \(index + 1) of the list",
                known: ["name", "host", "memory", "memory-bandwidth", "link-bandwidth", "model", "threads"])
            for worker in try expanded(section) {
                if let firstLine = lineOfName.updateValue(section.line(of: "name"), forKey: worker.name) {
                    throw section.error(.duplicateWorker(name: worker.name, firstLine: firstLine), at: "name")
                }
                workers.append(worker)
            }
            guard workers.count <= maximumCount else {
                throw section.error(.tooManyWorkers(maximum: maximumCount), at: "name")
            }
        }
        return workers
    }

    /// The workers of one entry: one, or one for each number of the range in its name.
    private static func expanded(_ section: ConfigSection) throws(ClusterConfigError) -> [Self] {
        let names = try section.value("name", example: "worker-1") { text throws(QuantityError) in
            try NamePattern(text, maximumCount: maximumCount)
        }
        let hosts = try section.value("host", example: "10.0.0.2") { text throws(QuantityError) in
            try NamePattern(text, maximumCount: maximumCount)
        }
        guard !hosts.hasRange || hosts.texts.count == names.texts.count else {
            throw section.invalid(
                "host", "\(hosts.texts[0])...", expected: "a range of \(names.texts.count) hosts, as many as names")
        }
        var workers: [Self] = []
        for (index, name) in names.texts.enumerated() {
            workers.append(
                Self(
                    name: try section.workerName(name),
                    host: try section.host(hosts.texts[hosts.hasRange ? index : 0]),
                    memoryBytes: try section.memory(), memoryBandwidth: try section.bandwidth("memory-bandwidth"),
                    linkBandwidth: try section.bandwidth("link-bandwidth"),
                    model: try section.text(ifPresent: "model", example: "/models/DeepSeek-R1"),
                    threads: try section.threads()))
        }
        return workers
    }
}

extension Parallelism {
    fileprivate init(_ root: ConfigSection, workers: Int) throws(ClusterConfigError) {
        var (tensor, pipeline) = (1, 1)
        if root.has("parallelism") {
            let section = try ConfigSection(
                root.node("parallelism", example: ""), file: root.file, name: "parallelism",
                known: ["tensor-parallel-size", "pipeline-parallel-size"])
            tensor = try section.parallelSize("tensor-parallel-size")
            pipeline = try section.parallelSize("pipeline-parallel-size")
        }
        do {
            try self.init(tensor: tensor, pipeline: pipeline, workers: workers)
        } catch { throw root.error(.placement(error), at: "parallelism") }
    }
}

extension ConfigSection {
    fileprivate func memory() throws(ClusterConfigError) -> Int {
        try value("memory", example: "256GiB") { text throws(QuantityError) in try Quantity.bytes(text) }
    }

    fileprivate func bandwidth(_ key: String) throws(ClusterConfigError) -> Double? {
        try value(ifPresent: key, example: "200GB/s", Quantity.bytesPerSecond)
    }

    fileprivate func threads() throws(ClusterConfigError) -> Int? {
        has("threads") ? try integer("threads", in: 1...4096, example: "32") : nil
    }

    fileprivate func parallelSize(_ key: String) throws(ClusterConfigError) -> Int {
        has(key) ? try integer(key, in: 1...ClusterConfig.Worker.maximumCount, example: "1") : 1
    }

    /// An address or a host name; what it means is for the resolver.
    fileprivate func host(_ text: String) throws(ClusterConfigError) -> String {
        guard Self.isWord(text, with: "-._:", maximumLength: 253) else {
            throw invalid("host", text, expected: "a host name or address without port, such as 10.0.0.2")
        }
        return text
    }

    /// Names go into unit names, log lines and file names.
    fileprivate func workerName(_ text: String) throws(ClusterConfigError) -> String {
        guard Self.isWord(text, with: "-._", maximumLength: 63), text.first != "-", text.first != "." else {
            throw invalid(
                "name", text, expected: "1 to 63 letters, digits, '-', '_' or '.', such as worker-1")
        }
        return text
    }

    private static func isWord(_ text: String, with marks: String, maximumLength: Int) -> Bool {
        (1...maximumLength).contains(text.utf8.count)
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || marks.contains($0)) }
    }
}

import Cluster
import TestSupport
import Testing

@Suite struct ClusterConfigTests {
    static let head = """
        coordinator: {host: 10.0.0.1, port: 7077, memory: 64GiB}
        secret-file: /etc/cohort/secret

        """
    static let workers = "workers:\n  - {name: a, host: b, memory: 1GiB}\n"

    @Test("every key is read, with its unit")
    func whole() throws {
        let config = try ClusterConfig(
            yaml: """
                coordinator:
                  host: big.example
                  port: 7077
                  memory: 64GiB
                  memory-bandwidth: 200GB/s
                  link-bandwidth: 25Gb/s
                  threads: 32
                secret-file: /etc/cohort/secret
                model: /models/r1
                join-timeout: 90s
                parallelism:
                  tensor-parallel-size: 2
                workers:
                  - name: a
                    host: 10.0.0.2
                    memory: 1.5TiB
                    model: /ssd/r1
                  - {name: "b-[08-10]", host: "10.0.0.[8-10]", memory: 256GB, threads: 8}
                  - {name: "c[1-2]", host: "fd00::1", memory: 1GB}
                """, file: "c.yaml")
        #expect(config.coordinator.host == "big.example" && config.coordinator.port == 7077)
        #expect(config.coordinator.memoryBytes == 64 << 30 && config.coordinator.threads == 32)
        #expect(config.coordinator.memoryBandwidth == 200e9 && config.coordinator.linkBandwidth == 3.125e9)
        #expect(config.joinTimeoutMilliseconds == 90_000)
        #expect(config.secretFile == "/etc/cohort/secret" && config.model == "/models/r1")
        #expect(config.parallelism == (try Parallelism(tensor: 2, pipeline: 1, workers: 6)))
        #expect(config.workers.map(\.name) == ["a", "b-08", "b-09", "b-10", "c1", "c2"])
        #expect(
            config.workers.map(\.host) == ["10.0.0.2", "10.0.0.8", "10.0.0.9", "10.0.0.10", "fd00::1", "fd00::1"])
        #expect(config.workers.map(\.memoryBytes)[0..<2] == [3 << 39, 256_000_000_000])
        #expect(config.workers.map(\.model) == ["/ssd/r1", nil, nil, nil, nil, nil])
        #expect(config.workers[1].threads == 8 && config.workers[0].memoryBandwidth == nil)
    }

    @Test("what is left out has the stated default")
    func defaults() throws {
        let config = try ClusterConfig(yaml: Self.head + Self.workers, file: "c.yaml")
        #expect(config.joinTimeoutMilliseconds == ClusterConfig.defaultJoinTimeoutMilliseconds)
        #expect(config.parallelism == (try Parallelism(tensor: 1, pipeline: 1, workers: 1)))
        #expect(config.model == nil && config.coordinator.threads == nil)
    }

    struct Wrong: Sendable, CustomTestStringConvertible {
        let yaml: String
        /// As the message starts and what it must hold.
        let place: String
        let part: String
        var testDescription: String { "\(place) \(part)" }
    }

    static let wrongs = [
        Wrong(
            yaml: head + "worker:\n  - {name: a, host: b, memory: 1GiB}\n", place: "c.yaml:3:1: ",
            part: "unknown key 'worker' in the cluster file: did you mean 'workers'?"),
        Wrong(
            yaml: head + "workers:\n  - name: a\n    host: b\n    memroy: 1GiB\n", place: "c.yaml:6:5: ",
            part: "unknown key 'memroy' in worker 1 of the list: did you mean 'memory'?"),
        Wrong(
            yaml: head + workers + "colour: red\n", place: "c.yaml:5:1: ",
            part: "known are coordinator, secret-file, model, join-timeout, parallelism, workers"),
        Wrong(
            yaml: "coordinator: {host: a, port: 1, memory: 1GiB}\n" + workers, place: "c.yaml:1:1: ",
            part: "lacks 'secret-file'"),
        Wrong(
            yaml: head + "workers:\n  - {name: a, memory: 1GiB}\n", place: "c.yaml:4:5: ", part: "lacks 'host'"),
        Wrong(
            yaml: "coordinator: 5\n", place: "c.yaml:1:14: ", part: "'coordinator' is '5': give a mapping"),
        Wrong(
            yaml: "coordinator: {host: a, port: 70777, memory: 1GiB}\n", place: "c.yaml:1:30: ",
            part: "'port' is '70777': give a whole number from 1 to 65535"),
        Wrong(
            yaml: "coordinator: {host: a, port: \"7077\", memory: 1GiB}\n", place: "c.yaml:1:30: ",
            part: "give a whole number"),
        Wrong(
            yaml: "coordinator: {host: a, port: 0x10, memory: 1GiB}\n", place: "c.yaml:1:30: ",
            part: "give a whole number"),
        Wrong(
            yaml: "coordinator: {host: [a], port: 1, memory: 1GiB}\n", place: "c.yaml:1:21: ",
            part: "'host' is a list: give a text"),
        Wrong(
            yaml: "coordinator: {host: , port: 1, memory: 1GiB}\n", place: "c.yaml:1:", part: "'host' is empty"),
        Wrong(
            yaml: "coordinator: {host: a b, port: 1, memory: 1GiB}\n", place: "c.yaml:1:21: ",
            part: "'host' is 'a b': give a host name or address"),
        Wrong(
            yaml: "coordinator: {host: a, port: 1, memory: 256}\n", place: "c.yaml:1:41: ",
            part: "'memory' is '256': give a size such as 256GiB"),
        Wrong(
            yaml: head + "workers: []\n", place: "c.yaml:3:10: ", part: "'workers' is an empty list: give one worker"),
        Wrong(
            yaml: head + "workers: {name: a}\n", place: "c.yaml:3:10: ", part: "'workers' is a mapping: give a list"),
        Wrong(yaml: head + "workers: [a]\n", place: "c.yaml:3:11: ", part: "is 'a': give a mapping"),
        Wrong(
            yaml: head + workers + "  - {name: c, host: b, memory: 1GiB}\n  - {name: a, host: c, memory: 1GiB}\n",
            place: "c.yaml:6:12: ", part: "worker 'a' stands already in line 4"),
        Wrong(
            yaml: head + "workers:\n  - {name: \"a[1-3]\", host: \"b[1-2]\", memory: 1GiB}\n", place: "c.yaml:4:28: ",
            part: "a range of 3 hosts"),
        Wrong(
            yaml: head + "workers:\n  - {name: \"a[1-9999]\", host: b, memory: 1GiB}\n", place: "c.yaml:4:12: ",
            part: "of at most 4096"),
        Wrong(
            yaml: head + "workers:\n  - {name: \"a[3-1]\", host: b, memory: 1GiB}\n", place: "c.yaml:4:12: ",
            part: "at most one range"),
        Wrong(
            yaml: head + "workers:\n  - {name: \"a/b\", host: b, memory: 1GiB}\n", place: "c.yaml:4:12: ",
            part: "'name' is 'a/b'"),
        Wrong(
            yaml: head + workers + "parallelism: {tensor-parallel-size: 2}\n", place: "c.yaml:5:14: ",
            part: "1 workers are too few for tensor-parallel-size 2 x pipeline-parallel-size 1: start 2 workers"),
        Wrong(
            yaml: head + workers + "parallelism: {expert-parallel-size: 2}\n", place: "c.yaml:5:15: ",
            part: "unknown key 'expert-parallel-size'"),
        Wrong(yaml: head + head, place: "c.yaml:1:1: ", part: "key 'coordinator' stands twice"),
        Wrong(yaml: "a: [1\nb: 2\n", place: "c.yaml:2:", part: "is not YAML"),
        Wrong(yaml: "a: 1\n---\nb: 2\n", place: "c.yaml:2:1: ", part: "is not YAML"),
        Wrong(yaml: "", place: "c.yaml: ", part: "is empty"),
        Wrong(yaml: "# nothing yet\n\n", place: "c.yaml: ", part: "is empty"),
        Wrong(yaml: "---\n", place: "c.yaml: ", part: "is empty"),
        Wrong(yaml: "? [a, b]\n: c\n", place: "c.yaml:1:3: ", part: "a key that is no word"),
        Wrong(yaml: "a: \u{0}", place: "c.yaml", part: "is not YAML"),
    ]

    @Test("an error says where, what and how to mend it", arguments: wrongs)
    func wrong(_ wrong: Wrong) {
        let error = #expect(throws: ClusterConfigError.self) {
            try ClusterConfig(yaml: wrong.yaml, file: "c.yaml")
        }
        let text = error?.description ?? ""
        #expect(text.hasPrefix(wrong.place) && text.contains(wrong.part), "\(text)")
        #expect(!text.contains("\n"))
    }

    @Test("aliases, which could expand without bound, are refused wherever they hide")
    func aliases() {
        var bomb = "a0: &a0 [x, x]\n"
        for level in 1...60 { bomb += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
        bomb += "? *a60\n: y\n"
        let hidden = [
            bomb, "a: &x 1\nb: ['\n # ', *x]\n", "a: &x 1\nb: [\"#\", *x]\n", "a: &x 1\r# c\rb: *x\n",
            "a: &x 1\nb: {\"c\":*x}\n", "a: &x 1\n*x : 2\n",
        ]
        for yaml in hidden {
            let error = #expect(throws: ClusterConfigError.self) { try ClusterConfig(yaml: yaml, file: "c.yaml") }
            #expect(error?.problem == .alias, "\(yaml.prefix(60))")
        }
        #expect(throws: Never.self) {
            try ClusterConfig(yaml: "# an *important* file\n" + Self.head + Self.workers, file: "c.yaml")
        }
    }

    @Test("deep nesting and great length end in an error")
    func limits() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: ClusterConfigError.self) { try ClusterConfig(yaml: deep, file: "c.yaml") }
        let long = #expect(throws: ClusterConfigError.self) {
            try ClusterConfig(yaml: String(repeating: "# comment\n", count: 200_000), file: "c.yaml")
        }
        #expect(long?.problem == .tooLarge(byteSize: 2_000_000, maximum: 1 << 20))
    }

    @Test("a file that is not there, or is a folder, is named")
    func missing() {
        for path in ["/nowhere/c.yaml", "/"] {
            let error = #expect(throws: ClusterConfigError.self) { try ClusterConfig(file: path) }
            #expect(error?.description.hasPrefix("\(path): cannot be read") == true)
        }
    }

    @Test("random damage never crashes the reader")
    func mutations() {
        let original = Array((Self.head + Self.workers + "parallelism: {tensor-parallel-size: 1}\n").utf8)
        var generator = SplitMix(seed: 3)
        let marks = Array("[]{}:,-&*#?|>'\"%@`! \n\t0aé\u{0}".utf8)
        for _ in 0..<4000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] = marks.randomElement(using: &generator)!
                case 1: bytes.insert(marks.randomElement(using: &generator)!, at: place)
                default: bytes.removeSubrange(place..<min(bytes.count - 1, place + 5))
                }
            }
            do throws(ClusterConfigError) {
                _ = try ClusterConfig(yaml: String(decoding: bytes, as: UTF8.self), file: "c.yaml")
            } catch { #expect(error.description.hasPrefix("c.yaml")) }
        }
    }
}

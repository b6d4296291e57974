import Cluster
import Testing

@Suite struct ClusterConfigTests {
    static let head = """
        coordinator: {host: 10.0.0.1, port: 7077, memory: 64GiB}
        secret-file: /etc/cohort/secret

        """

    static func failure(_ yaml: String) -> ClusterConfigError? {
        #expect(throws: ClusterConfigError.self) { try ClusterConfig(yaml: yaml, file: "c.yaml") }
    }

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
                """, file: "c.yaml")
        #expect(config.coordinator.host == "big.example" && config.coordinator.port == 7077)
        #expect(config.coordinator.memoryBytes == 64 << 30 && config.coordinator.threads == 32)
        #expect(config.coordinator.memoryBandwidth == 200e9 && config.coordinator.linkBandwidth == 3.125e9)
        #expect(config.joinTimeoutMilliseconds == 90_000)
        #expect(config.secretFile == "/etc/cohort/secret" && config.model == "/models/r1")
        #expect(config.parallelism == (try Parallelism(tensor: 2, pipeline: 1, workers: 4)))
        #expect(config.workers.map(\.name) == ["a", "b-08", "b-09", "b-10"])
        #expect(config.workers.map(\.host) == ["10.0.0.2", "10.0.0.8", "10.0.0.9", "10.0.0.10"])
        #expect(config.workers.map(\.memoryBytes) == [3 << 39] + Array(repeating: 256_000_000_000, count: 3))
        #expect(config.workers.map(\.model) == ["/ssd/r1", nil, nil, nil])
    }

    @Test("an unknown key is an error with its line and the key that was meant")
    func unknownKey() {
        let error = Self.failure(Self.head + "worker:\n  - {name: a, host: b, memory: 1GiB}\n")
        #expect(error?.line == 3 && error?.column == 1)
        #expect(error?.description == "c.yaml:3:1: unknown key 'worker' in the cluster file: did you mean 'workers'?")
        let nested = Self.failure(Self.head + "workers:\n  - name: a\n    host: b\n    memroy: 1GiB\n")
        #expect(nested?.line == 6 && nested?.column == 5)
        #expect(nested?.description.hasSuffix("did you mean 'memory'?") == true)
    }
}

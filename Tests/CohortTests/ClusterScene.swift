import Foundation

/// A cluster file on loopback, with the secret that it names.
struct ClusterScene {
    let scene: Scene
    let port: Int
    let file: String
    let secretFile: String

    /// - Parameter model: the workers' checkpoint, where the file names one.
    init(
        _ scene: Scene, workers: Int, host: String = "127.0.0.1", tensor: Int = 1, pipeline: Int = 1,
        joinTimeout: String = "50s", model: String? = nil
    ) throws {
        try self.init(
            scene, numbers: 1...workers, host: host, tensor: tensor, pipeline: pipeline, joinTimeout: joinTimeout,
            model: model)
    }

    /// - Parameter numbers: of the workers of the file.
    init(
        _ scene: Scene, numbers: ClosedRange<Int>, host: String = "127.0.0.1", tensor: Int = 1, pipeline: Int = 1,
        joinTimeout: String = "50s", model: String? = nil
    ) throws {
        self.scene = scene
        port = try FreePort.choose()
        secretFile = try scene.write("secret", "a secret of a test cluster")
        file = try scene.write(
            "cluster.yaml",
            """
            coordinator: {host: "\(host)", port: \(port), memory: 1GiB}
            secret-file: "\(secretFile)"
            join-timeout: \(joinTimeout)
            parallelism: {tensor-parallel-size: \(tensor), pipeline-parallel-size: \(pipeline)}
            workers:
              - {name: "worker-[\(numbers.lowerBound)-\(numbers.upperBound)]", host: "\(host)", memory: 1GiB}
            \(model.map { "model: \"\($0)\"" } ?? "")
            """)
    }

    func startCoordinator(_ model: String, _ arguments: [String]) throws -> RunningProgram {
        try scene.start(["generate", model, "--cluster", file, "--verbose"] + arguments)
    }

    /// - Parameter arguments: stand behind the usual ones, so that they take their place.
    func startWorker(_ name: String, host: String = "127.0.0.1", _ arguments: [String] = []) throws -> RunningProgram {
        try scene.start(
            [
                "worker", "--coordinator", "\(host):\(port)", "--secret-file", secretFile, "--name", name, "--threads",
                "1",
            ]
                + arguments)
    }
}

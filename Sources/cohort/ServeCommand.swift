internal import ArgumentParser
internal import Checkpoint
internal import Cluster
internal import Foundation
internal import HTTPAPI
internal import Model
internal import Serving
internal import ServiceLifecycle
internal import Tokenization
internal import Transport

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Runs the coordinator and an OpenAI-compatible HTTP server.",
        discussion: """
            Answers POST /v1/completions, GET /v1/models, /health and /metrics (Prometheus), and under /admin what \
            'cohort status', top, rebalance, drain and remove ask. SIGTERM and Ctrl-C let the requests that run finish.
            """)

    @OptionGroup
    var options: ModelOptions

    @OptionGroup(title: "A cluster that changes")
    var living: LivingOptions

    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port to listen on; 0 lets the system choose.")
    var port = 8000

    @Option(help: "The key that clients must show under /v1. Every user of this machine can see it: better use a file.")
    var apiKey: String?

    @Option(help: "A file that holds the key that clients must show under /v1.")
    var apiKeyFile: String?

    @OptionGroup(title: "Admin API")
    var admin: AdminKeyOptions

    @Option(help: "What requests call the model. Default: the checkpoint folder's name.")
    var modelName: String?

    @Option(help: "Requests in the batch at once.")
    var maxSequences = 32

    @Option(help: "Requests that wait for room; the next one is answered with 429.")
    var maxQueue = 256

    @Option(help: "Positions that the KV cache holds for all requests together.")
    var context = 32768

    @Option(help: "Seconds that requests may go on after SIGTERM.")
    var drainTimeout = 60

    func validate() throws {
        guard 0...65535 ~= port else { throw ValidationError("--port is \(port): give 0 to 65535") }
        if apiKey != nil && apiKeyFile != nil {
            throw ValidationError("--api-key and --api-key-file exclude each other: give one")
        }
        if let flag = living.given.first, !options.cluster.hasWorkers {
            throw ValidationError("\(flag) is for a cluster: give --local N or --cluster FILE too")
        }
        guard 1..<options.prefillChunk ~= maxSequences else {
            throw ValidationError(
                "--max-sequences is \(maxSequences): give 1 or more, but less than --prefill-chunk "
                    + "(\(options.prefillChunk)), so that prompts find room beside them")
        }
        guard 1...Self.maximumQueue ~= maxQueue else {
            throw ValidationError("--max-queue is \(maxQueue): give 1 to \(Self.maximumQueue)")
        }
        guard 1...Self.maximumContext ~= context else {
            throw ValidationError("--context is \(context): give 1 to \(Self.maximumContext)")
        }
        guard 0...Self.maximumDrain ~= drainTimeout else {
            throw ValidationError("--drain-timeout is \(drainTimeout): give 0 to \(Self.maximumDrain) seconds")
        }
    }

    func run() async throws {
        let notifier = ServiceNotifier()
        notifier.notify(status: "reading the checkpoint")
        let keys = try readKeys()
        try checkAddress()
        let checkpoint = try Checkpoint(folder: options.model)
        let text = try ModelText(folder: options.model)
        let processor = options.processor()
        let decoder = try DecoderModel(from: checkpoint, as: options.weights.denseDType, team: processor.team)
        notifier.notify(status: "waiting until every expert is held")
        let deployment = try options.deploy(
            checkpoint, decoder, processor,
            living.behavior(usualRedundant: options.usualRedundant, record: try options.cluster.record()))
        defer { deployment.close() }
        let engine = Engine(
            model: decoder, experts: deployment.experts, processor: processor,
            limits: .init(prefillChunk: options.prefillChunk, cachePositions: context))
        let runner = EngineRunner(
            engine: engine, limits: .init(running: maxSequences, waiting: maxQueue, wait: Self.longestWait),
            interlude: deployment.interlude)
        let model = ServedModel(
            name: modelName ?? URL(fileURLWithPath: options.model).standardizedFileURL.lastPathComponent, text: text,
            endIDs: Set(checkpoint.config.eosTokenIDs), contextLength: min(context, checkpoint.config.maximumPositions))
        defer { keys.own?.remove() }
        try await serve(runner, model, keys, deployment.remote?.desk, notifier)
    }

    /// - Parameter cluster: nil without workers.
    private func serve(
        _ runner: EngineRunner, _ model: ServedModel, _ keys: Keys, _ cluster: (any ClusterControl)?,
        _ notifier: ServiceNotifier
    ) async throws {
        var limits = APIServer.Limits()
        limits.drain = .seconds(drainTimeout)
        let server = APIServer(
            host: host, port: port, key: keys.client, model: model, runner: runner, limits: limits,
            logger: options.logger, adminKey: keys.admin, cluster: cluster
        ) { stage in
            switch stage {
            case .listening(let port):
                let address = "http://\(host.contains(":") ? "[\(host)]" : host):\(port)"
                do { try keys.own?.leave(port: port) } catch { say("warning: \(error)") }
                notifier.notifyReady(status: "serves \(model.name) at \(address)")
                say("serving \(model.name) at \(address)" + (keys.client == nil ? ", without an API key" : ""))
            case .stopping:
                notifier.notifyStopping(status: "finishing \(runner.load.running) requests")
                say("stopping: finishing the requests that run, for at most \(drainTimeout) s")
            }
        }
        var configuration = ServiceGroupConfiguration(
            services: [EngineService(runner), server], gracefulShutdownSignals: [.sigterm, .sigint],
            logger: options.logger)
        configuration.maximumGracefulShutdownDuration = limits.drain + Self.farewell
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch {
            throw WorkError("the server at \(host):\(port) ended: \(error)")
        }
    }

    /// What clients and operators must show.
    private struct Keys {
        let client: APIKey?
        let admin: APIKey?
        /// nil where the operators' key is given.
        let own: OwnAdminKey?
    }

    private func readKeys() throws -> Keys {
        let client = try readClientKey()
        if let given = try admin.given() { return Keys(client: client, admin: APIKey(given), own: nil) }
        let own = OwnAdminKey()
        return Keys(client: client, admin: APIKey(own.text), own: own)
    }

    private func readClientKey() throws -> APIKey? {
        guard let text = try apiKey ?? apiKeyFile.map(KeyFile.read) else { return nil }
        guard let key = APIKey(text) else {
            let flag = apiKey == nil ? "--api-key-file" : "--api-key"
            throw UsageError("\(flag) gives an empty key: give one that clients can show, or leave the flag out")
        }
        return key
    }

    /// Fails now, and not after an hour of loading, when the address cannot be listened on.
    private func checkAddress() throws {
        do {
            _ = try TCPListener(host: host, port: port)
        } catch {
            throw WorkError("cannot listen for requests: \(error)")
        }
    }

    private static let maximumQueue = 65_536
    /// 300 GB of cache for the largest models.
    private static let maximumContext = 4_194_304
    private static let maximumDrain = 86_400
    /// The longest that a request waits for room in the batch.
    private static let longestWait = Duration.seconds(300)
    /// What connections may take to close once their requests have ended.
    private static let farewell = Duration.seconds(10)
}

/// One line on standard error.
private func say(_ line: String) {
    StandardStream.error("cohort: \(line)\n")
}

// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]
let cSettings: [CSetting] = [.treatAllWarnings(as: .error)]

let package = Package(
    name: "cohort",
    products: [.executable(name: "cohort", targets: ["cohort"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .systemLibrary(
            name: "CPCRE2", path: "Sources/CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
        .systemLibrary(
            name: "CProtobufC", path: "Sources/CProtobufC", pkgConfig: "libprotobuf-c",
            providers: [.apt(["libprotobuf-c-dev"])]),
        .target(name: "CKernels", cSettings: cSettings),
        .target(name: "CMapping", cSettings: cSettings),
        .target(name: "CSockets", cSettings: cSettings),
        .target(name: "CWire", dependencies: ["CProtobufC"], exclude: ["wire.proto"]),
        .swift("Kernels", ["CKernels"]),
        .swift("Checkpoint", ["CMapping", "Kernels", .product(name: "Crypto", package: "swift-crypto")]),
        .swift("Experts", ["Kernels", "Checkpoint"]),
        .swift("Model", ["Kernels", "Checkpoint", "Experts"]),
        .swift("Tokenization", ["CPCRE2"]),
        .swift("Serving", ["Kernels", "Checkpoint", "Experts", "Model"]),
        .swift("Wire", ["CWire", .product(name: "Crypto", package: "swift-crypto")]),
        .swift("Transport", ["CSockets", "Wire", .product(name: "Logging", package: "swift-log")]),
        .swift("Cluster", ["Checkpoint", .product(name: "Yams", package: "Yams")]),
        .swift(
            "Dispatcher",
            [
                "Kernels", "Checkpoint", "Experts", "Cluster", "Wire", "Transport",
                .product(name: "Logging", package: "swift-log"),
            ]),
        .swift(
            "Worker",
            [
                "Kernels", "Checkpoint", "Experts", "Cluster", "Wire", "Transport",
                .product(name: "Logging", package: "swift-log"),
            ]),
        .swift(
            "Bench", ["Kernels", "Checkpoint", "Experts", "Model", "Serving", "Cluster", "Transport"]),
        .swift(
            "HTTPAPI",
            [
                "Checkpoint", "Cluster", "Serving", "Tokenization",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
        .executableTarget(
            name: "cohort",
            dependencies: [
                "Kernels", "Checkpoint", "Experts", "Model", "Tokenization", "Serving", "Wire", "Transport", "Cluster",
                "Dispatcher", "Worker", "HTTPAPI", "Bench",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        .target(
            name: "TestSupport", dependencies: ["Checkpoint", "Cluster", "Kernels", "Serving"],
            path: "Tests/TestSupport",
            swiftSettings: strict),
        .tests(
            "BenchTests",
            ["Bench", "Kernels", "Checkpoint", "Cluster", "Experts", "Model", "Serving", "TestSupport"]),
        .tests("KernelsTests", ["Kernels", "CKernels"]),
        .tests("CheckpointTests", ["Checkpoint", "Kernels", "TestSupport"], exclude: ["Fixtures"]),
        .tests("TokenizationTests", ["Tokenization"], exclude: ["Fixtures"]),
        .tests(
            "DispatcherTests",
            [
                "Dispatcher", "Worker", "Transport", "Wire", "Cluster", "Checkpoint", "Experts", "Kernels",
                "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ]),
        .tests(
            "WorkerTests",
            [
                "Worker", "Transport", "Wire", "Cluster", "Checkpoint", "Experts", "Kernels", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ]),
        .tests("ExpertsTests", ["Experts", "Checkpoint", "Kernels", "TestSupport"]),
        .tests("ModelTests", ["Model", "Checkpoint", "Experts", "Kernels", "TestSupport"]),
        .tests("ServingTests", ["Serving", "Model", "Checkpoint", "Experts", "Kernels", "TestSupport"]),
        .tests(
            "HTTPAPITests",
            [
                "HTTPAPI", "Cluster", "Serving", "Checkpoint", "Experts", "Kernels", "Model", "Tokenization",
                "TestSupport",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
            ]),
        .tests("WireTests", ["Wire"]),
        .tests("TransportTests", ["Transport", "Wire", "TestSupport"]),
        .tests(
            "CohortTests",
            [
                "TestSupport", "Cluster", "HTTPAPI", .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
            ]),
        .tests("ClusterTests", ["Bench", "Cluster", "Checkpoint", "Kernels", "TestSupport"], exclude: ["Fixtures"]),
    ]
)

extension Target {
    static func swift(_ name: String, _ dependencies: [Dependency] = []) -> Target {
        .target(name: name, dependencies: dependencies, swiftSettings: strict)
    }

    static func tests(_ name: String, _ dependencies: [Dependency], exclude: [String] = []) -> Target {
        .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
    }
}

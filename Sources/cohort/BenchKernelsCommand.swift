internal import ArgumentParser
internal import Bench
internal import Foundation
internal import Kernels

struct BenchKernelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract: "Measures each kernel on R1's shapes beside this machine's read bandwidth and peak arithmetic.")

    @Option(help: "Cores to use. Default: all that this process may use.")
    var threads: Int?

    @Option(help: "Seconds for each measurement, beyond a few repetitions.")
    var seconds = 0.2

    @Option(help: "Kernels of another instruction set than the best that this machine has, such as avx2.")
    var kernelSet: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    @Option(help: "Draw the kernels under the machine's roofline into this SVG file.")
    var plot: String?

    func validate() throws {
        if let threads, !(1...1024 ~= threads) { throw ValidationError("--threads is \(threads): give 1 to 1024") }
        guard 0...60 ~= seconds else { throw ValidationError("--seconds is \(seconds): give 0 to 60") }
        _ = try kernels()
    }

    func run() throws {
        let drawing = try plot.map { try OutputFile($0, flag: "--plot") }
        let processor = Processor(threads: threads ?? Machine.coreCount, compute: .fast, kernels: try kernels())
        let report = ProgressLine.shown("measuring") { progress in
            KernelBench(processor: processor, seconds: seconds).run { progress.show("\($0.kernel), \($0.shape)") }
        }
        try StandardStream.output((json ? try JSONText.of(report) : report.text) + "\n")
        try drawing?.write(Data(Roofline(report).svg.utf8))
        try drawing?.close()
    }

    private func kernels() throws -> KernelSet? {
        guard let kernelSet else { return nil }
        let available = KernelSet.available()
        guard let kernels = available.first(where: { $0.name == kernelSet }) else {
            let names = available.map(\.name).joined(separator: ", ")
            throw ValidationError("--kernel-set is '\(kernelSet)': this machine runs \(names)")
        }
        return kernels
    }
}

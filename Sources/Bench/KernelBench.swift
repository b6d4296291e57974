package import Kernels

/// Measures every kernel on the shapes of DeepSeek-R1, streaming its operands from memory.
package struct KernelBench {
    private let processor: Processor
    private let arena: Arena
    private let stopwatch: Stopwatch
    private let inputs: AlignedBuffer<Float>
    private let outputs: AlignedBuffer<Float>

    /// - Parameter seconds: the time for each measurement, beyond a few repetitions.
    package init(processor: Processor, seconds: Double = 0.2) {
        self.processor = processor
        stopwatch = Stopwatch(seconds: seconds)
        arena = Arena(byteCount: MemoryReading.byteCount, processor: processor)
        inputs = AlignedBuffer(count: Self.mostRows * Self.hidden)
        outputs = AlignedBuffer(count: Self.mostRows * Self.hidden)
    }

    /// - Parameter observe: called with each measurement as it comes.
    package func run(observe: (KernelMeasurement) -> Void = { _ in }) -> KernelReport {
        var limits = MachineLimits(of: processor, arena)
        var measurements: [KernelMeasurement] = []
        var read = readBandwidth()
        // On a shared machine the bandwidth changes from second to second.
        func note(_ measure: @autoclosure () -> KernelMeasurement) {
            var measurement = measure()
            let after = readBandwidth()
            measurement.readBandwidth = (read + after) / 2
            read = after
            observe(measurement)
            measurements.append(measurement)
        }
        for dtype in [WeightDType.f8e4m3, .int8, .int4, .bf16, .f16, .f32] {
            arena.fill(with: dtype)
            for arithmetic in [dtype == .int8 ? KernelSet.Arithmetic.int8 : .bf16, .f32] {
                for (rows, columns) in [(Self.hidden, Self.width), (Self.width, Self.hidden)] {
                    for inputRows in Self.inputRows {
                        note(product(rows: rows, columns: columns, inputRows: inputRows, arithmetic))
                    }
                }
                limits.remeasure(processor, arena)
            }
        }
        arena.fill(with: .bf16)
        for positions in Self.positions { note(attend(positions)) }
        arena.fill(with: .f32)
        note(rmsNorm())
        note(swiglu())
        note(accumulate())
        limits.remeasure(processor, arena)
        return KernelReport(limits: limits, measurements: measurements)
    }

    /// Bytes per second, now.
    private func readBandwidth() -> Double {
        MachineLimits.readBandwidth(processor, arena, seconds: Self.readSeconds).median
    }

    private func product(rows: Int, columns: Int, inputRows: Int, _ inputs: KernelSet.Arithmetic) -> KernelMeasurement {
        let input = operand(rows: inputRows, columns: columns, inputs)
        let seconds = stopwatch.measure { number in
            processor.multiply(
                input, by: arena.matrix(number, rows: rows, columns: columns), into: outputs.pointer)
        }
        let dtype = arena.dtype
        let scales = dtype == .int8 || dtype == .int4 ? rows * columns / HeldDType.groupColumns : 0
        let values = inputRows * (Self.byteCount(columns: columns, inputs) + rows * 4)
        return KernelMeasurement(
            kernel: "product \(dtype.label) x \(inputs)",
            shape: "\(rows)x\(columns), \(inputRows) row\(inputRows == 1 ? "" : "s")",
            arithmetic: dtype == .f16 || dtype == .f32 ? .f32 : inputs,
            bytes: Double(dtype.byteCount(rows: rows, columns: columns) + scales * 4 + values),
            operations: 2 * Double(rows) * Double(columns) * Double(inputRows), seconds: seconds.summary)
    }

    /// One token over a cache that lies in the arena.
    private func attend(_ positions: Int) -> KernelMeasurement {
        let (heads, latent, rope) = (Self.heads, Self.latent, Self.rope)
        let width = latent + rope
        let pageByteCount = Self.pagePositions * width * 2
        let pageCount = (positions + Self.pagePositions - 1) / Self.pagePositions
        let places = arena.byteCount / pageByteCount
        let reader = LatentReader(maximumRows: 1, heads: heads, latent: latent, rope: rope, dtype: .bf16)
        reader.queries.initializeMemory(as: UInt16.self, repeating: Self.smallBF16, count: heads * width)
        let seconds = stopwatch.measure { number in
            let pages: [UnsafeRawPointer?] = (0..<pageCount).map {
                UnsafeRawPointer(arena.bytes + (number * pageCount + $0) % places * pageByteCount)
            }
            pages.withUnsafeBufferPointer { pages in
                guard let base = pages.baseAddress else { return }
                let view = LatentCacheView(
                    pages: base, dtype: .bf16, pagePositions: Self.pagePositions, latent: latent, rope: rope,
                    scale: 0.1)
                reader.read([.init(cache: view, rows: 0..<1, positions: positions)], processor) { _ in }
            }
        }
        return KernelMeasurement(
            kernel: "attend bf16", shape: "\(heads) heads, \(positions) positions", arithmetic: .bf16,
            bytes: Double(positions * width * 2), operations: 2 * Double(heads * positions * (width + latent)),
            seconds: seconds.summary)
    }

    private func rmsNorm() -> KernelMeasurement {
        elementwise("rms_norm", columns: Self.hidden, rowsRead: 1, operations: 4) { input, output in
            processor.kernels.rmsNorm(
                input, gain: inputs.pointer, epsilon: 1e-6, count: Self.hidden, into: output)
        }
    }

    private func swiglu() -> KernelMeasurement {
        elementwise("swiglu", columns: Self.width, rowsRead: 2, operations: 16) { input, output in
            processor.kernels.swiglu(gate: input, up: input + Self.width, count: Self.width, into: output)
        }
    }

    private func accumulate() -> KernelMeasurement {
        elementwise("accumulate", columns: Self.hidden, rowsRead: 1, readsOutput: true, operations: 2) {
            input, output in
            processor.kernels.accumulate(input, weight: 0.5, count: Self.hidden, into: output)
        }
    }

    /// Many rows in parallel, read from one half of the arena and written to the other.
    private func elementwise(
        _ name: String, columns: Int, rowsRead: Int, readsOutput: Bool = false, operations: Int,
        _ body: (UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void
    ) -> KernelMeasurement {
        let rows = Self.elementwiseRows
        let half = arena.byteCount / 2
        let input = arena.bytes.assumingMemoryBound(to: Float.self)
        let output = (arena.bytes + half).assumingMemoryBound(to: Float.self)
        let turns = half / 4 / (rows * rowsRead * columns)
        let seconds = stopwatch.measure { number in
            let first = number % turns * rows
            processor.team.forEach(rows) { row in
                body(input + (first + row) * rowsRead * columns, output + (first + row) * columns)
            }
        }
        let values = rows * columns
        return KernelMeasurement(
            kernel: name, shape: "\(rows)x\(columns)", arithmetic: .f32,
            bytes: Double(4 * values * (rowsRead + 1 + (readsOutput ? 1 : 0))),
            operations: Double(operations * values), seconds: seconds.summary)
    }

    private func operand(rows: Int, columns: Int, _ arithmetic: KernelSet.Arithmetic) -> Activations {
        let count = rows * columns
        let (place, made) = (UnsafeMutableRawPointer(inputs.pointer), UnsafeMutableRawPointer(outputs.pointer))
        let size = Self.byteCount(columns: columns, arithmetic)
        for index in 0..<count { inputs.pointer[index] = Float(index % 61 - 30) / 32 }
        for row in 0..<rows {
            let values = inputs.pointer + row * columns
            switch arithmetic {
            case .f32: (made + row * size).copyMemory(from: values, byteCount: size)
            case .bf16:
                processor.kernels.narrow(
                    values, count: columns, into: (made + row * size).assumingMemoryBound(to: UInt16.self))
            case .int8: processor.kernels.narrow(values, count: columns, blocks: made + row * size)
            }
        }
        place.copyMemory(from: made, byteCount: rows * size)
        let values: Activations.Values =
            switch arithmetic {
            case .f32: .f32(inputs.pointer)
            case .bf16: .bf16(place.assumingMemoryBound(to: UInt16.self))
            case .int8: .int8(CodeRows(place, stride: size))
            }
        return Activations(values, rows: rows, columns: columns)
    }

    /// Bytes of a row of input.
    private static func byteCount(columns: Int, _ arithmetic: KernelSet.Arithmetic) -> Int {
        switch arithmetic {
        case .f32: 4 * columns
        case .bf16: 2 * columns
        case .int8: CodeRows.byteCount(columns: columns)
        }
    }

    static let inputRows = [1, 2, 4, 8, 16, 32, 128, 512]
    private static let mostRows = 512
    private static let readSeconds = 0.05
    private static let positions = [1024, 8192, 32768]
    private static let elementwiseRows = 512
    // DeepSeek-R1's.
    private static let hidden = 7168
    private static let width = 2048
    private static let heads = 128
    private static let latent = 512
    private static let rope = 64
    private static let pagePositions = 64
    /// 1 / 32
    private static let smallBF16: UInt16 = 0x3d00
}

extension WeightDType {
    /// As people write it.
    fileprivate var label: String {
        switch self {
        case .f32: "f32"
        case .f16: "f16"
        case .bf16: "bf16"
        case .f8e4m3: "fp8"
        case .int8: "int8"
        case .int4: "int4"
        }
    }
}

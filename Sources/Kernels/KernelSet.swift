internal import CKernels

/// One instruction set's kernels. All sets give the same bits (the payload of a NaN excepted), and a row of an answer
/// does not depend on which other rows are computed with it.
package struct KernelSet: Sendable {
    /// Of the program's own, for ever. A copy of its many functions on every call would be what a short call costs.
    private nonisolated(unsafe) let functions: UnsafePointer<cohort_kernels>

    var table: cohort_kernels { functions.pointee }

    /// The sets that this machine can run, best first, the scalar twin last.
    package static func available() -> [KernelSet] {
        let capacity = 8
        return withUnsafeTemporaryAllocation(of: UnsafePointer<cohort_kernels>?.self, capacity: capacity) { tables in
            let count = cohort_kernels_available(tables.baseAddress, capacity)
            return tables[..<count].compactMap { $0.map { KernelSet(functions: $0) } }
        }
    }

    private init(functions: UnsafePointer<cohort_kernels>) {
        self.functions = functions
    }

    /// "avx512bf16", "avx512vnni", "avx512", "avx2", "neon" or "scalar".
    package var name: String { String(cString: table.name) }

    /// `output[t * stride + n] = sum over c of input[t, c] * matrix[rows.lowerBound + n, c]` for n in 0..<rows.count.
    /// - Parameter rows: of INT8 from the first of four on.
    package func product(
        _ matrix: WeightMatrix, rows: Range<Int>, _ input: Activations, into output: UnsafeMutablePointer<Float>,
        stride: Int
    ) {
        withExtendedLifetime(matrix) {
            product(matrix.unowned, rows: rows, input, into: output, stride: stride)
        }
    }

    /// The same without a count of references, which threads would fight for.
    package func product(
        _ matrix: UnownedMatrix, rows: Range<Int>, _ input: Activations, into output: UnsafeMutablePointer<Float>,
        stride: Int
    ) {
        precondition(input.columns == matrix.columns, "a product's input must be as wide as its matrix")
        precondition(rows.lowerBound >= 0 && rows.upperBound <= matrix.rows, "rows outside the matrix")
        precondition(!matrix.isInt8 || rows.lowerBound.isMultiple(of: WeightDType.four), "rows of INT8 come in fours")
        var input = input.table(for: matrix)
        var matrix = matrix.table
        table.product(&matrix, UInt32(rows.lowerBound), UInt32(rows.count), &input, output, stride)
    }

    /// `output = input / sqrt(mean(input^2) + epsilon) * gain`; may be in place.
    package func rmsNorm(
        _ input: UnsafePointer<Float>, gain: UnsafePointer<Float>, epsilon: Float, count: Int,
        into output: UnsafeMutablePointer<Float>
    ) {
        table.rms_norm(input, gain, epsilon, UInt32(count), output)
    }

    /// Turns each pair (a, b) of neighbouring values by its (cosine, sine) among `turns`; may be in place.
    package func rotate(
        _ values: UnsafePointer<Float>, by turns: UnsafePointer<Float>, count: Int,
        into output: UnsafeMutablePointer<Float>
    ) {
        precondition(count.isMultiple(of: 2), "pairs turn")
        table.rotate(values, turns, UInt32(count), output)
    }

    /// `output = silu(gate) * up`; may be in place.
    package func swiglu(
        gate: UnsafePointer<Float>, up: UnsafePointer<Float>, count: Int, into output: UnsafeMutablePointer<Float>
    ) {
        table.swiglu(gate, up, UInt32(count), output)
    }

    /// `sum += weight * values`, rounded once per element.
    package func accumulate(
        _ values: UnsafePointer<Float>, weight: Float, count: Int, into sum: UnsafeMutablePointer<Float>
    ) {
        table.accumulate(weight, values, UInt32(count), sum)
    }

    /// The same of bf16 values.
    package func accumulate(
        _ values: UnsafePointer<UInt16>, weight: Float, count: Int, into sum: UnsafeMutablePointer<Float>
    ) {
        table.accumulate_bf16(weight, values, UInt32(count), sum)
    }

    /// `values = 1 / (1 + exp(-values))`
    package func sigmoid(_ values: UnsafeMutablePointer<Float>, count: Int) {
        table.sigmoid(values, UInt32(count))
    }

    /// `values = exp(values - max) / sum`
    package func softmax(_ values: UnsafeMutablePointer<Float>, count: Int) {
        table.softmax(values, UInt32(count))
    }

    /// `output = exp(values)`, less than 2 units in the last place off, 0 below -87; may be in place.
    package func exponential(
        _ values: UnsafePointer<Float>, count: Int, into output: UnsafeMutablePointer<Float>
    ) {
        table.exponential(values, UInt32(count), output)
    }

    /// Rounds f32 to bf16, to nearest even; NaN stays NaN.
    package func narrow(_ values: UnsafePointer<Float>, count: Int, into output: UnsafeMutablePointer<UInt16>) {
        table.narrow_bf16(values, UInt32(count), output)
    }

    /// Widens bf16 to f32, exactly.
    package func widen(_ values: UnsafePointer<UInt16>, count: Int, into output: UnsafeMutablePointer<Float>) {
        table.widen_bf16(values, UInt32(count), output)
    }

    /// A row as FP8 (e4m3) codes, [count], with a scale for each `rowBlock` columns, a power of two. Rounds to nearest
    /// even; what is not finite becomes NaN.
    package func narrow(
        _ values: UnsafePointer<Float>, count: Int, codes: UnsafeMutablePointer<UInt8>,
        scales: UnsafeMutablePointer<Float>
    ) {
        table.narrow_f8(values, UInt32(count), scales, codes)
    }

    /// Such a row as f32, exactly.
    package func widen(
        codes: UnsafePointer<UInt8>, scales: UnsafePointer<Float>, count: Int, into output: UnsafeMutablePointer<Float>
    ) {
        table.widen_f8(scales, codes, UInt32(count), output)
    }

    /// Columns that share a scale in a row of FP8 or INT8 activations.
    package static var rowBlock: Int { Int(COHORT_ROW_BLOCK) }

    /// One row of a matrix as f32, [columns], scales multiplied in.
    package func widenRow(_ matrix: WeightMatrix, row: Int, into output: UnsafeMutablePointer<Float>) {
        precondition(row >= 0 && row < matrix.rows, "row outside the matrix")
        withExtendedLifetime(matrix) {
            var matrix = matrix.unowned.table
            table.widen_row(&matrix, UInt32(row), output)
        }
    }
}

extension KernelSet {
    /// Makes FP8, INT8 or INT4 of a row, with a scale for each group of columns.
    /// - Parameters:
    ///   - codes: `held.dtype.byteCount(count)` bytes.
    ///   - scales: `held.scales(columns: count)` numbers.
    package func quantize(
        _ values: UnsafePointer<Float>, count: Int, to held: HeldDType, into codes: UnsafeMutableRawPointer,
        scales: UnsafeMutablePointer<Float>
    ) {
        precondition(held.dtype.isScaled && HeldDType.groupColumns <= COHORT_LONGEST_GROUP)
        table.quantize(values, UInt32(count), held.dtype.rawValue, UInt32(HeldDType.groupColumns), codes, scales)
    }
}

extension Activations {
    fileprivate func table(for matrix: UnownedMatrix) -> cohort_rows {
        switch values {
        case .f32(let pointer): return rows(pointer, COHORT_F32)
        case .bf16AndInt8(_, let codes) where matrix.isInt8, .int8(let codes):
            precondition(matrix.takesCodes, "codes are multiplied by INT8 of the same blocks")
            return codes.table(rows: rows)
        case .bf16(let pointer), .bf16AndInt8(let pointer, _):
            precondition(!matrix.isInt8, "INT8 is multiplied by codes or f32")
            return rows(pointer, COHORT_BF16)
        }
    }

    private func rows(_ pointer: UnsafeRawPointer, _ dtype: Int) -> cohort_rows {
        cohort_rows(values: pointer, stride: stride, count: UInt32(rows), dtype: UInt32(dtype))
    }
}

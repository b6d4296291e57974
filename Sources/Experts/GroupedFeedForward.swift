package import Kernels

/// Runs the feed-forward of many (row, expert) pairs: all experts of a layer that a batch touches are two parallel
/// loops over (expert, block of rows), gate and up fused with SwiGLU, then down. Each pair's answer is independent of
/// its company.
package final class GroupedFeedForward {
    private let processor: Processor
    private let hiddenSize: Int
    private let width: Int
    private let exchange: ExchangeDType
    private let decoder: RowDecoder
    private let inputs: AlignedBuffer<Float>
    private let narrowInputs: AlignedBuffer<UInt16>
    private let gates: AlignedBuffer<Float>
    private let narrowGates: AlignedBuffer<UInt16>
    /// For INT8 experts: the rows of the input, those of the pairs, and the inner rows.
    private let inputCodes: AlignedBuffer<UInt8>
    private let pairCodes: AlignedBuffer<UInt8>
    private let gateCodes: AlignedBuffer<UInt8>
    /// For products on their way to what is kept of them: [rows of a group, block of matrix rows].
    private let scratch: ScratchPool
    private var groups: [Group] = []
    /// The pairs, by slice.
    private var order: [Int32] = []
    /// By slice: where its pairs begin in `order`.
    private var starts: [Int32] = []
    /// Places in `order` whose rows are brought together.
    private var gathered: [Int32] = []
    private var items: [Item] = []

    /// The pairs of one expert: a run of `order`. `run` keeps the shard that has the weights.
    private struct Group {
        let expert: UnownedExpert
        let first: Int
        let count: Int
        /// [count, hidden size]
        let input: Activations
    }

    /// A block of one matrix's rows, or of its input's, for one group.
    private struct Item {
        let group: Int
        let rows: Range<Int>
    }

    /// - Parameters:
    ///   - width: the widest intermediate slice of the experts to come.
    ///   - maximumRows: the most rows of the input of one `run`.
    ///   - maximumPairs: the most pairs of one `run`.
    package init(
        processor: Processor, hiddenSize: Int, width: Int, maximumRows: Int, maximumPairs: Int, exchange: ExchangeDType
    ) {
        self.processor = processor
        self.hiddenSize = hiddenSize
        self.width = width
        self.exchange = exchange
        decoder = RowDecoder(
            processor: processor, hiddenSize: hiddenSize, maximumRows: maximumRows, exchange: exchange)
        let isFast = processor.compute == .fast
        inputs = AlignedBuffer(count: isFast ? 0 : maximumPairs * hiddenSize)
        narrowInputs = AlignedBuffer(count: isFast ? maximumPairs * hiddenSize : 0)
        gates = AlignedBuffer(count: maximumPairs * width)
        narrowGates = AlignedBuffer(count: isFast ? maximumPairs * width : 0)
        let codes = isFast ? CodeRows.byteCount(columns: hiddenSize) : 0
        inputCodes = AlignedBuffer(count: maximumRows * codes)
        pairCodes = AlignedBuffer(count: maximumPairs * codes)
        gateCodes = AlignedBuffer(count: isFast ? maximumPairs * CodeRows.byteCount(columns: width) : 0)
        let values = max(Self.scratchCount, maximumPairs * Processor.rowsPerPanel)
        scratch = ScratchPool(byteCount: values * MemoryLayout<Float>.size)
        order.reserveCapacity(maximumPairs)
    }

    /// Which row of the input goes to which slice of which expert.
    package struct Pair {
        package let row: Int
        /// expert * tensor-parallel size + rank; the shard holds it.
        package let slice: Int

        package init(row: Int, slice: Int) {
            self.row = row
            self.slice = slice
        }
    }

    /// answers[p] = slice(p) of the expert, applied to input[row(p)].
    /// - Parameters:
    ///   - input: [rowCount] rows as they travelled in the exchange dtype.
    ///   - answers: [pairs, hidden size] as they travel.
    package func run(
        _ pairs: [Pair], of shard: ExpertShard, layer: Int, input: UnsafeRawPointer, rowCount: Int,
        answers: UnsafeMutableRawPointer
    ) {
        let input = decoder.decode(input, count: rowCount)
        sort(pairs, sliceCount: shard.sliceCount)
        withExtendedLifetime(shard) {
            let forms = group(pairs, shard, layer, input)
            if forms.contains(.int8) { encode(input, count: rowCount) }
            gather(pairs, input, forms)
            gateAndUp()
            encodeGates()
            down(answers)
        }
    }

    private func sort(_ pairs: [Pair], sliceCount: Int) {
        starts.removeAll(keepingCapacity: true)
        starts.append(contentsOf: repeatElement(0, count: sliceCount + 1))
        order.removeAll(keepingCapacity: true)
        order.append(contentsOf: repeatElement(0, count: pairs.count))
        starts.withUnsafeMutableBufferPointer { starts in
            for pair in pairs { starts[pair.slice + 1] += 1 }
            for slice in 0..<sliceCount { starts[slice + 1] += starts[slice] }
            order.withUnsafeMutableBufferPointer { order in
                for (index, pair) in pairs.enumerated() {
                    order[Int(starts[pair.slice])] = Int32(index)
                    starts[pair.slice] += 1
                }
            }
        }
    }

    /// - Returns: what the experts read the input as, if not as f32.
    private func group(
        _ pairs: [Pair], _ shard: ExpertShard, _ layer: Int, _ input: UnsafeRawPointer
    ) -> RowForms {
        var forms: RowForms = []
        groups.removeAll(keepingCapacity: true)
        gathered.removeAll(keepingCapacity: true)
        let experts = shard.experts(of: layer)
        var first = 0
        while first < order.count {
            let pair = pairs[Int(order[first])]
            // `sort` left each start at the end of its slice.
            let count = Int(starts[pair.slice]) - first
            if count > 1 { gathered.append(contentsOf: Int32(first)..<Int32(first + count)) }
            guard let expert = experts[pair.slice] else { preconditionFailure("the expert is not held here") }
            let own = expert.gate.inputForms.union(expert.up.inputForms)
            forms.formUnion(own)
            groups.append(
                Group(
                    expert: expert, first: first, count: count,
                    input: count > 1
                        ? rows(
                            own, from: first, count: count, wide: inputs, narrow: narrowInputs, codes: pairCodes,
                            columns: hiddenSize, stride: hiddenSize) : row(pair.row, of: input, own)))
            first += count
        }
        return processor.compute == .fast ? forms : []
    }

    /// A row of the input where it stands.
    private func row(_ row: Int, of input: UnsafeRawPointer, _ forms: RowForms) -> Activations {
        switch processor.compute {
        case .fast:
            Activations(
                forms, bf16: input.assumingMemoryBound(to: UInt16.self) + row * hiddenSize,
                codes: codeRows(inputCodes, columns: hiddenSize, from: row), rows: 1, columns: hiddenSize)
        case .f32:
            Activations(
                .f32(input.assumingMemoryBound(to: Float.self) + row * hiddenSize), rows: 1, columns: hiddenSize)
        }
    }

    private func codeRows(_ buffer: AlignedBuffer<UInt8>, columns: Int, from first: Int) -> CodeRows {
        let size = CodeRows.byteCount(columns: columns)
        return CodeRows(buffer.pointer + first * size, stride: size)
    }

    /// Makes codes of all rows of the input, once for all their experts.
    private func encode(_ input: UnsafeRawPointer, count: Int) {
        let (hiddenSize, size) = (hiddenSize, CodeRows.byteCount(columns: hiddenSize))
        let input = input.assumingMemoryBound(to: UInt16.self)
        processor.forEachBlock(of: count, columns: hiddenSize) { block in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: hiddenSize) { values in
                guard let values = values.baseAddress else { return }
                for row in block {
                    processor.kernels.widen(input + row * hiddenSize, count: hiddenSize, into: values)
                    processor.kernels.narrow(values, count: hiddenSize, blocks: inputCodes.pointer + row * size)
                }
            }
        }
    }

    /// Brings the rows of each group together.
    private func gather(_ pairs: [Pair], _ input: UnsafeRawPointer, _ forms: RowForms) {
        let hiddenSize = hiddenSize
        processor.forEachBlock(of: gathered.count, columns: hiddenSize) { block in
            for position in gathered[block].lazy.map(Int.init) {
                bring(pairs[Int(order[position])].row, of: input, to: position, forms)
            }
        }
    }

    private func bring(_ row: Int, of input: UnsafeRawPointer, to position: Int, _ forms: RowForms) {
        let offset = position * hiddenSize
        if forms.contains(.int8) {
            let size = CodeRows.byteCount(columns: hiddenSize)
            (pairCodes.pointer + position * size).update(from: inputCodes.pointer + row * size, count: size)
        }
        switch processor.compute {
        case .fast:
            guard forms.contains(.bf16) else { return }
            let source = input.assumingMemoryBound(to: UInt16.self) + row * hiddenSize
            (narrowInputs.pointer + offset).update(from: source, count: hiddenSize)
        case .f32:
            let source = input.assumingMemoryBound(to: Float.self) + row * hiddenSize
            (inputs.pointer + offset).update(from: source, count: hiddenSize)
        }
    }

    private func gateAndUp() {
        forEachBlock(\.gate) { group, rows, ups in
            let gates = gates.pointer + group.first * width + rows.lowerBound
            processor.kernels.product(group.expert.gate, rows: rows, group.input, into: gates, stride: width)
            processor.kernels.product(group.expert.up, rows: rows, group.input, into: ups, stride: rows.count)
            for row in 0..<group.count {
                let gate = gates + row * width
                processor.kernels.swiglu(gate: gate, up: ups + row * rows.count, count: rows.count, into: gate)
                if processor.compute == .fast, group.expert.down.inputForms.contains(.bf16) {
                    let place = narrowGates.pointer + (group.first + row) * width + rows.lowerBound
                    processor.kernels.narrow(gate, count: rows.count, into: place)
                }
            }
        }
    }

    /// Makes codes of the inner rows: not before all of a row's columns are there.
    private func encodeGates() {
        guard processor.compute == .fast else { return }
        items.removeAll(keepingCapacity: true)
        let rowsPerItem = max(1, Self.codesPerItem / max(1, width))
        for (index, group) in groups.enumerated() where group.expert.down.inputForms.contains(.int8) {
            for first in stride(from: 0, to: group.count, by: rowsPerItem) {
                items.append(Item(group: index, rows: first..<min(first + rowsPerItem, group.count)))
            }
        }
        let size = CodeRows.byteCount(columns: width)
        processor.team.forEach(items.count) { index in
            let group = groups[items[index].group]
            for row in items[index].rows {
                processor.kernels.narrow(
                    gates.pointer + (group.first + row) * width, count: group.expert.down.columns,
                    blocks: gateCodes.pointer + (group.first + row) * size)
            }
        }
    }

    private func down(_ answers: UnsafeMutableRawPointer) {
        forEachBlock(\.down) { group, rows, outputs in
            let matrix = group.expert.down
            let input = self.rows(
                matrix.inputForms, from: group.first, count: group.count, wide: gates, narrow: narrowGates,
                codes: gateCodes, columns: matrix.columns, stride: width)
            processor.kernels.product(matrix, rows: rows, input, into: outputs, stride: rows.count)
            for row in 0..<group.count {
                let offset = Int(order[group.first + row]) * hiddenSize + rows.lowerBound
                store(outputs + row * rows.count, count: rows.count, in: answers, at: offset)
            }
        }
    }

    /// Calls `body` in parallel with every group, blocks of its matrix's rows, and scratch for a product with them:
    /// [rows of the group, rows of the block].
    private func forEachBlock(
        _ matrix: (UnownedExpert) -> UnownedMatrix, _ body: (Group, Range<Int>, UnsafeMutablePointer<Float>) -> Void
    ) {
        cut(matrix)
        processor.team.forEach(items.count) { index in
            let item = items[index]
            let group = groups[item.group]
            let panels = max(1, Self.scratchCount / (group.count * Processor.rowsPerPanel))
            scratch.withScratch { memory in
                let scratch = memory.assumingMemoryBound(to: Float.self)
                for first in stride(
                    from: item.rows.lowerBound, to: item.rows.upperBound, by: panels * Processor.rowsPerPanel)
                {
                    let end = min(first + panels * Processor.rowsPerPanel, item.rows.upperBound)
                    body(group, first..<end, scratch)
                }
            }
        }
    }

    /// Part of an answer, as it travels.
    private func store(
        _ values: UnsafePointer<Float>, count: Int, in answers: UnsafeMutableRawPointer, at offset: Int
    ) {
        switch exchange {
        case .f32:
            (answers.assumingMemoryBound(to: Float.self) + offset).update(from: values, count: count)
        case .bf16, .fp8:
            processor.kernels.narrow(
                values, count: count, into: answers.assumingMemoryBound(to: UInt16.self) + offset)
        }
    }

    private func rows(
        _ forms: RowForms, from first: Int, count: Int, wide: AlignedBuffer<Float>, narrow: AlignedBuffer<UInt16>,
        codes: AlignedBuffer<UInt8>, columns: Int, stride: Int
    ) -> Activations {
        switch processor.compute {
        case .f32:
            Activations(.f32(wide.pointer + first * stride), rows: count, columns: columns, stride: stride)
        case .fast:
            Activations(
                forms, bf16: narrow.pointer + first * stride, codes: codeRows(codes, columns: stride, from: first),
                rows: count, columns: columns, stride: stride)
        }
    }

    /// Cuts the rows of a matrix of every group into items.
    private func cut(_ matrix: (UnownedExpert) -> UnownedMatrix) {
        items.removeAll(keepingCapacity: true)
        let blocks = max(1, processor.team.threads * Self.itemsPerThread / max(1, groups.count))
        for (index, group) in groups.enumerated() {
            let matrix = matrix(group.expert)
            let even = min((matrix.rows + blocks - 1) / blocks, Self.mostWeights / max(1, matrix.columns))
            let block = Processor.wholePanels(max(Self.minimumRows, even))
            for first in stride(from: 0, to: matrix.rows, by: block) {
                items.append(Item(group: index, rows: first..<min(first + block, matrix.rows)))
            }
        }
    }

    /// Enough items that a slow thread holds nobody up, few enough that handing them out costs nothing.
    private static let itemsPerThread = 4
    /// Values of inner rows that a thread makes codes of at a time.
    private static let codesPerItem = 16384
    /// What a thread reads in some 25 microseconds: longer items leave threads with nothing to do at a loop's end.
    private static let mostWeights = 1 << 19
    /// Products that stay in a core's second-level cache: 128 KiB.
    private static let scratchCount = 1 << 15
    /// Below this an item's start costs more than its work.
    private static let minimumRows = 32
}

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
    private let ups: AlignedBuffer<Float>
    private let narrowGates: AlignedBuffer<UInt16>
    private let outputs: AlignedBuffer<Float>
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

    /// A block of one matrix's rows for one group.
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
        ups = AlignedBuffer(count: maximumPairs * width)
        narrowGates = AlignedBuffer(count: isFast ? maximumPairs * width : 0)
        outputs = AlignedBuffer(count: maximumPairs * hiddenSize)
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
            group(pairs, shard, layer, input)
            gather(pairs, input)
            gateAndUp()
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

    private func group(_ pairs: [Pair], _ shard: ExpertShard, _ layer: Int, _ input: UnsafeRawPointer) {
        groups.removeAll(keepingCapacity: true)
        gathered.removeAll(keepingCapacity: true)
        let experts = shard.experts(of: layer)
        var first = 0
        while first < order.count {
            let pair = pairs[Int(order[first])]
            // `sort` left each start at the end of its slice.
            let count = Int(starts[pair.slice]) - first
            let inPlace = count == 1 ? row(pair.row, of: input) : nil
            if inPlace == nil { gathered.append(contentsOf: Int32(first)..<Int32(first + count)) }
            guard let expert = experts[pair.slice] else { preconditionFailure("the expert is not held here") }
            groups.append(
                Group(
                    expert: expert, first: first, count: count,
                    input: inPlace
                        ?? rows(from: first, count: count, wide: inputs, narrow: narrowInputs, columns: hiddenSize)))
            first += count
        }
    }

    /// A row of the input where it stands.
    private func row(_ row: Int, of input: UnsafeRawPointer) -> Activations {
        switch processor.compute {
        case .fast:
            Activations(
                .bf16(input.assumingMemoryBound(to: UInt16.self) + row * hiddenSize), rows: 1, columns: hiddenSize)
        case .f32:
            Activations(
                .f32(input.assumingMemoryBound(to: Float.self) + row * hiddenSize), rows: 1, columns: hiddenSize)
        }
    }

    /// Brings the rows of each group together.
    private func gather(_ pairs: [Pair], _ input: UnsafeRawPointer) {
        let hiddenSize = hiddenSize
        processor.forEachBlock(of: gathered.count, columns: hiddenSize) { block in
            for position in gathered[block].lazy.map(Int.init) {
                bring(pairs[Int(order[position])].row, of: input, to: position)
            }
        }
    }

    private func bring(_ row: Int, of input: UnsafeRawPointer, to position: Int) {
        let offset = position * hiddenSize
        switch processor.compute {
        case .fast:
            let source = input.assumingMemoryBound(to: UInt16.self) + row * hiddenSize
            (narrowInputs.pointer + offset).update(from: source, count: hiddenSize)
        case .f32:
            let source = input.assumingMemoryBound(to: Float.self) + row * hiddenSize
            (inputs.pointer + offset).update(from: source, count: hiddenSize)
        }
    }

    private func gateAndUp() {
        cut(\.gate)
        processor.team.forEach(items.count) { index in
            let item = items[index]
            let group = groups[item.group]
            let input = group.input
            let gate = gates.pointer + group.first * width
            let up = ups.pointer + group.first * width
            processor.kernels.product(
                group.expert.gate, rows: item.rows, input, into: gate + item.rows.lowerBound, stride: width)
            processor.kernels.product(
                group.expert.up, rows: item.rows, input, into: up + item.rows.lowerBound, stride: width)
            for row in 0..<group.count {
                let offset = row * width + item.rows.lowerBound
                processor.kernels.swiglu(
                    gate: gate + offset, up: up + offset, count: item.rows.count, into: gate + offset)
                if processor.compute == .fast {
                    processor.kernels.narrow(
                        gate + offset, count: item.rows.count,
                        into: narrowGates.pointer + group.first * width + offset)
                }
            }
        }
    }

    private func down(_ answers: UnsafeMutableRawPointer) {
        cut(\.down)
        processor.team.forEach(items.count) { index in
            let item = items[index]
            let group = groups[item.group]
            let input = rows(from: group.first, count: group.count, wide: gates, narrow: narrowGates, columns: width)
            let output = outputs.pointer + group.first * hiddenSize + item.rows.lowerBound
            processor.kernels.product(
                group.expert.down, rows: item.rows, input.slice(columns: 0..<group.expert.down.columns), into: output,
                stride: hiddenSize)
            for row in 0..<group.count {
                let offset = Int(order[group.first + row]) * hiddenSize + item.rows.lowerBound
                store(output + row * hiddenSize, count: item.rows.count, in: answers, at: offset)
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
        from first: Int, count: Int, wide: AlignedBuffer<Float>, narrow: AlignedBuffer<UInt16>, columns: Int
    ) -> Activations {
        switch processor.compute {
        case .f32: Activations(.f32(wide.pointer + first * columns), rows: count, columns: columns)
        case .fast: Activations(.bf16(narrow.pointer + first * columns), rows: count, columns: columns)
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
    /// What a thread reads in some 25 microseconds: longer items leave threads with nothing to do at a loop's end.
    private static let mostWeights = 1 << 19
    /// Below this an item's start costs more than its work.
    private static let minimumRows = 32
}

package import Kernels

/// Runs the feed-forward of many (row, expert) pairs: all experts of a layer that a batch touches are two parallel
/// loops over (expert, block of rows), gate and up fused with SwiGLU, then down. Each pair's answer is independent of
/// its company.
package final class GroupedFeedForward {
    private let processor: Processor
    private let hiddenSize: Int
    private let width: Int
    private let exchange: ExchangeDType
    private let inputs: AlignedBuffer<Float>
    private let narrowInputs: AlignedBuffer<UInt16>
    private let gates: AlignedBuffer<Float>
    private let ups: AlignedBuffer<Float>
    private let narrowGates: AlignedBuffer<UInt16>
    private let outputs: AlignedBuffer<Float>
    private var groups: [Group] = []
    private var order: [Int32] = []
    private var items: [Item] = []

    /// The pairs of one expert: a run of `order`.
    private struct Group {
        let expert: ExpertWeights
        let first: Int
        var count: Int
    }

    /// A block of one matrix's rows for one group.
    private struct Item {
        let group: Int
        let rows: Range<Int>
    }

    /// - Parameters:
    ///   - width: the widest intermediate slice of the experts to come.
    ///   - maximumPairs: the most pairs of one `run`.
    package init(
        processor: Processor, hiddenSize: Int, width: Int, maximumPairs: Int, exchange: ExchangeDType
    ) {
        self.processor = processor
        self.hiddenSize = hiddenSize
        self.width = width
        self.exchange = exchange
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

    /// answers[p] = slice(p) of the expert, applied to input[row(p)], in the exchange dtype.
    /// - Parameters:
    ///   - input: [rows, hidden size] values of the exchange dtype.
    ///   - answers: [pairs, hidden size] values of the exchange dtype.
    package func run(
        _ pairs: [Pair], of shard: ExpertShard, layer: Int, input: UnsafeRawPointer, answers: UnsafeMutableRawPointer
    ) {
        group(pairs, shard, layer)
        gather(pairs, input)
        gateAndUp()
        down()
        scatter(answers)
    }

    private func group(_ pairs: [Pair], _ shard: ExpertShard, _ layer: Int) {
        order.removeAll(keepingCapacity: true)
        groups.removeAll(keepingCapacity: true)
        order.append(contentsOf: (0..<pairs.count).lazy.map(Int32.init))
        order.sort { (pairs[Int($0)].slice, $0) < (pairs[Int($1)].slice, $1) }
        var previous: Int?
        for (position, index) in order.enumerated() {
            let slice = pairs[Int(index)].slice
            if slice == previous {
                groups[groups.count - 1].count += 1
            } else {
                groups.append(Group(expert: shard.held(slice, layer: layer), first: position, count: 1))
                previous = slice
            }
        }
    }

    /// Brings the rows of each group together, in the dtype that the products read.
    private func gather(_ pairs: [Pair], _ input: UnsafeRawPointer) {
        let hiddenSize = hiddenSize
        processor.team.forEach(order.count) { position in
            let row = pairs[Int(order[position])].row
            let offset = position * hiddenSize
            switch (exchange, processor.compute) {
            case (.bf16, .fast):
                let source = input.assumingMemoryBound(to: UInt16.self) + row * hiddenSize
                (narrowInputs.pointer + offset).update(from: source, count: hiddenSize)
            case (.bf16, .f32):
                let source = input.assumingMemoryBound(to: UInt16.self) + row * hiddenSize
                processor.kernels.widen(source, count: hiddenSize, into: inputs.pointer + offset)
            case (.f32, .fast):
                let source = input.assumingMemoryBound(to: Float.self) + row * hiddenSize
                processor.kernels.narrow(source, count: hiddenSize, into: narrowInputs.pointer + offset)
            case (.f32, .f32):
                let source = input.assumingMemoryBound(to: Float.self) + row * hiddenSize
                (inputs.pointer + offset).update(from: source, count: hiddenSize)
            }
        }
    }

    private func gateAndUp() {
        cut { $0.gate.rows }
        processor.team.forEach(items.count) { index in
            let item = items[index]
            let group = groups[item.group]
            let input = rows(of: group, wide: inputs, narrow: narrowInputs, columns: hiddenSize)
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

    private func down() {
        cut { $0.down.rows }
        processor.team.forEach(items.count) { index in
            let item = items[index]
            let group = groups[item.group]
            let input = rows(of: group, wide: gates, narrow: narrowGates, columns: width)
            processor.kernels.product(
                group.expert.down, rows: item.rows, input.slice(columns: 0..<group.expert.width),
                into: outputs.pointer + group.first * hiddenSize + item.rows.lowerBound, stride: hiddenSize)
        }
    }

    private func scatter(_ answers: UnsafeMutableRawPointer) {
        processor.team.forEach(order.count) { position in
            let source = outputs.pointer + position * hiddenSize
            let offset = Int(order[position]) * hiddenSize
            switch exchange {
            case .f32:
                (answers.assumingMemoryBound(to: Float.self) + offset).update(from: source, count: hiddenSize)
            case .bf16:
                processor.kernels.narrow(
                    source, count: hiddenSize, into: answers.assumingMemoryBound(to: UInt16.self) + offset)
            }
        }
    }

    private func rows(
        of group: Group, wide: AlignedBuffer<Float>, narrow: AlignedBuffer<UInt16>, columns: Int
    ) -> Activations {
        switch processor.compute {
        case .f32: Activations(.f32(wide.pointer + group.first * columns), rows: group.count, columns: columns)
        case .fast: Activations(.bf16(narrow.pointer + group.first * columns), rows: group.count, columns: columns)
        }
    }

    /// Cuts the rows of a matrix of every group into about `itemsPerThread` items per thread.
    private func cut(_ rowCount: (ExpertWeights) -> Int) {
        items.removeAll(keepingCapacity: true)
        let blocks = max(1, processor.team.threads * Self.itemsPerThread / max(1, groups.count))
        for (index, group) in groups.enumerated() {
            let rows = rowCount(group.expert)
            let block = max(Self.minimumRows, (rows + blocks - 1) / blocks)
            for first in stride(from: 0, to: rows, by: block) {
                items.append(Item(group: index, rows: first..<min(first + block, rows)))
            }
        }
    }

    /// Enough items that a slow thread holds nobody up, few enough that handing them out costs nothing.
    private static let itemsPerThread = 8
    /// Below this an item's start costs more than its work.
    private static let minimumRows = 32
}

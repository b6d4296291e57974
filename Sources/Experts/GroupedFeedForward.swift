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
    private let pairRows: PairRows
    private let gates: AlignedBuffer<Float>
    private let narrowGates: AlignedBuffer<UInt16>
    /// Of the inner rows, for INT8 experts.
    private let gateCodes: AlignedBuffer<UInt8>
    /// For an item: products on their way to what is kept of them, [rows of a group, block of matrix rows], and rows
    /// of the input.
    private let scratch: ScratchPool
    private var groups: [Group] = []
    /// The pairs, by slice, and the rows of the input that they read.
    private var order: [Int32] = []
    private var sources: [Int32] = []
    /// By slice: where its pairs begin in `order`.
    private var starts: [Int32] = []
    private var items: [Item] = []

    /// The pairs of one expert: a run of `order`. `run` keeps the shard that has the weights.
    private struct Group {
        let expert: UnownedExpert
        let first: Int
        let count: Int
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
        pairRows = PairRows(processor: processor, hiddenSize: hiddenSize, maximumRows: maximumRows)
        let isFast = processor.compute == .fast
        gates = AlignedBuffer(count: maximumPairs * width)
        narrowGates = AlignedBuffer(count: isFast ? maximumPairs * width : 0)
        gateCodes = AlignedBuffer(count: isFast ? maximumPairs * CodeRows.byteCount(columns: width) : 0)
        scratch = ScratchPool(
            byteCount: Processor.cachedProducts * MemoryLayout<Float>.size + pairRows.scratchByteCount)
        order.reserveCapacity(maximumPairs)
        sources.reserveCapacity(maximumPairs)
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
    ///   - guest: what else goes through the same loops.
    ///   - answers: [pairs, hidden size] as they travel.
    package func run(
        _ pairs: [Pair], of shard: ExpertShard, layer: Int, input: UnsafeRawPointer, rowCount: Int,
        beside guest: (any FeedForwardLoops)? = nil, answers: UnsafeMutableRawPointer
    ) {
        pairRows.load(
            decoder.decode(input, count: rowCount), count: rowCount, for: shard.inputForms(of: layer))
        withExtendedLifetime(shard) {
            forEachItem(of: .gateAndUp, beside: guest) {
                sort(pairs, sliceCount: shard.sliceCount)
                group(pairs, shard.experts(of: layer))
                cut(\.gate)
            } body: { item in
                gateAndUp(item)
            }
            forEachItem(of: .encode, beside: guest) {
                cutForCodes()
            } body: { item in
                encode(item)
            }
            forEachItem(of: .down, beside: guest) {
                cut(\.down)
            } body: { item in
                down(item, answers)
            }
        }
    }

    /// One parallel loop: the guest's items, with which the threads begin while the caller prepares, then those that
    /// `prepare` leaves in `items`.
    private func forEachItem(
        of loop: FeedForwardLoop, beside guest: (any FeedForwardLoops)?, prepare: () -> Void, body: (Item) -> Void
    ) {
        let first = guest?.count(of: loop) ?? 0
        func prepared() -> Int {
            prepare()
            return first + items.count
        }
        processor.team.expect(guest?.prefetches(after: loop))
        processor.team.forEachRun(first, thenUpTo: prepared) { run in
            if run.lowerBound < first {
                guest?.run(run, of: loop)
            } else {
                forEachPiece(of: items[run.lowerBound - first..<run.upperBound - first], body)
            }
        }
    }

    /// Calls `body` with neighbouring items made one, as far as they are of one group.
    private func forEachPiece(of items: ArraySlice<Item>, _ body: (Item) -> Void) {
        guard var piece = items.first else { return }
        for item in items.dropFirst() {
            if item.group == piece.group {
                piece = Item(group: piece.group, rows: piece.rows.lowerBound..<item.rows.upperBound)
            } else {
                body(piece)
                piece = item
            }
        }
        body(piece)
    }

    private func sort(_ pairs: [Pair], sliceCount: Int) {
        starts.removeAll(keepingCapacity: true)
        starts.append(contentsOf: repeatElement(0, count: sliceCount + 1))
        order.removeAll(keepingCapacity: true)
        order.append(contentsOf: repeatElement(0, count: pairs.count))
        sources.removeAll(keepingCapacity: true)
        sources.append(contentsOf: repeatElement(0, count: pairs.count))
        starts.withUnsafeMutableBufferPointer { starts in
            for pair in pairs { starts[pair.slice + 1] += 1 }
            for slice in 0..<sliceCount { starts[slice + 1] += starts[slice] }
            order.withUnsafeMutableBufferPointer { order in
                sources.withUnsafeMutableBufferPointer { sources in
                    for (index, pair) in pairs.enumerated() {
                        let place = Int(starts[pair.slice])
                        order[place] = Int32(index)
                        sources[place] = Int32(pair.row)
                        starts[pair.slice] += 1
                    }
                }
            }
        }
    }

    private func group(_ pairs: [Pair], _ experts: [UnownedExpert?]) {
        groups.removeAll(keepingCapacity: true)
        var first = 0
        while first < order.count {
            let slice = pairs[Int(order[first])].slice
            // `sort` left each start at the end of its slice.
            let count = Int(starts[slice]) - first
            guard let expert = experts[slice] else { preconditionFailure("the expert is not held here") }
            groups.append(Group(expert: expert, first: first, count: count))
            first += count
        }
    }

    private func gateAndUp(_ item: Item) {
        let group = groups[item.group]
        let (gate, up) = (group.expert.gate, group.expert.up)
        let forms = gate.inputForms.union(up.inputForms)
        let narrows = processor.compute == .fast && group.expert.down.inputForms.contains(.bf16)
        scratch.withScratch { memory in
            let ups = memory.assumingMemoryBound(to: Float.self)
            let rowScratch = memory + Processor.cachedProducts * MemoryLayout<Float>.size
            forEachPart(of: group) { pairs in
                let input = pairRows.rows(sources[pairs], for: forms, scratch: rowScratch)
                Processor.forEachCached(of: item.rows, inputRows: pairs.count) { rows in
                    let place = pairs.lowerBound * width + rows.lowerBound
                    let gates = gates.pointer + place
                    processor.kernels.product(gate, rows: rows, input, into: gates, stride: width)
                    processor.kernels.product(up, rows: rows, input, into: ups, stride: rows.count)
                    for row in 0..<pairs.count {
                        let values = gates + row * width
                        processor.kernels.swiglu(
                            gate: values, up: ups + row * rows.count, count: rows.count, into: values)
                        guard narrows else { continue }
                        processor.kernels.narrow(
                            values, count: rows.count, into: narrowGates.pointer + place + row * width)
                    }
                }
            }
        }
    }

    /// Makes codes of inner rows: not before all of a row's columns are there.
    private func encode(_ item: Item) {
        let group = groups[item.group]
        let size = CodeRows.byteCount(columns: width)
        for row in item.rows.lazy.map({ group.first + $0 }) {
            processor.kernels.narrow(
                gates.pointer + row * width, count: group.expert.down.columns, blocks: gateCodes.pointer + row * size)
        }
    }

    private func down(_ item: Item, _ answers: UnsafeMutableRawPointer) {
        let group = groups[item.group]
        let matrix = group.expert.down
        scratch.withScratch { memory in
            let outputs = memory.assumingMemoryBound(to: Float.self)
            forEachPart(of: group) { pairs in
                let input = innerRows(pairs, matrix)
                Processor.forEachCached(of: item.rows, inputRows: pairs.count) { rows in
                    processor.kernels.product(matrix, rows: rows, input, into: outputs, stride: rows.count)
                    for (row, pair) in order[pairs].enumerated() {
                        store(
                            outputs + row * rows.count, count: rows.count, in: answers,
                            at: Int(pair) * hiddenSize + rows.lowerBound)
                    }
                }
            }
        }
    }

    private func innerRows(_ pairs: Range<Int>, _ down: UnownedMatrix) -> Activations {
        switch processor.compute {
        case .f32:
            Activations(
                .f32(gates.pointer + pairs.lowerBound * width), rows: pairs.count, columns: down.columns,
                stride: width)
        case .fast:
            Activations(
                down.inputForms, bf16: narrowGates.pointer + pairs.lowerBound * width,
                codes: CodeRows(
                    gateCodes.pointer + pairs.lowerBound * CodeRows.byteCount(columns: width),
                    stride: CodeRows.byteCount(columns: width)),
                rows: pairs.count, columns: down.columns, stride: width)
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

    /// Calls `body` with ranges of `order`: a group's pairs, as many at a time as one product takes.
    private func forEachPart(of group: Group, _ body: (Range<Int>) -> Void) {
        let parts = (group.count + PairRows.most - 1) / PairRows.most
        for part in 0..<parts {
            body(group.first + group.count * part / parts..<group.first + group.count * (part + 1) / parts)
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

    /// Cuts the inner rows of which codes are wanted into items.
    private func cutForCodes() {
        items.removeAll(keepingCapacity: true)
        guard processor.compute == .fast else { return }
        let rowsPerItem = max(1, Self.codesPerItem / max(1, width))
        for (index, group) in groups.enumerated() where group.expert.down.inputForms.contains(.int8) {
            for first in stride(from: 0, to: group.count, by: rowsPerItem) {
                items.append(Item(group: index, rows: first..<min(first + rowsPerItem, group.count)))
            }
        }
    }

    /// Enough items that a slow thread holds nobody up.
    private static let itemsPerThread = 4
    /// Values of inner rows that a thread makes codes of at a time.
    private static let codesPerItem = 16384
    /// What a thread reads in some 10 microseconds: longer items leave threads with nothing to do at a loop's end.
    private static let mostWeights = 1 << 18
    /// Below this an item's start costs more than its work.
    private static let minimumRows = 32
}

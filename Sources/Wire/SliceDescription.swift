internal import CWire

/// Worker to worker: shapes and dtypes of a slice of an expert. The numbers themselves follow in chunks.
package struct SliceDescription: Sendable, Equatable {
    package struct Matrix: Sendable, Equatable {
        /// As the kernels number them.
        package var dtype: UInt32
        package var rows: Int
        package var columns: Int
        /// nil for weights without scales.
        package var block: ModelShape.Block?
        /// Where the matrix begins in the first block of its scales.
        package var rowPhase: Int
        package var columnPhase: Int

        package init(
            dtype: UInt32, rows: Int, columns: Int, block: ModelShape.Block?, rowPhase: Int = 0, columnPhase: Int = 0
        ) {
            self.dtype = dtype
            self.rows = rows
            self.columns = columns
            self.block = block
            self.rowPhase = rowPhase
            self.columnPhase = columnPhase
        }
    }

    package var gate: Matrix
    package var up: Matrix
    package var down: Matrix

    package init(gate: Matrix, up: Matrix, down: Matrix) {
        self.gate = gate
        self.up = up
        self.down = down
    }

    init(decoding payload: UnsafeRawBufferPointer) throws(ControlError) {
        self = try ProtobufCodec.slice.decode(payload) { (raw) throws(ControlError) in
            SliceDescription(
                gate: try Matrix(decoding: raw.gate), up: try Matrix(decoding: raw.up),
                down: try Matrix(decoding: raw.down))
        }
    }

    func encoded() throws(ControlError) -> [UInt8] {
        try ProtobufCodec.slice.encode { (raw, memory) throws(ControlError) in
            raw.gate = memory.array([gate.encoded])
            raw.up = memory.array([up.encoded])
            raw.down = memory.array([down.encoded])
        }
    }
}

extension SliceDescription.Matrix {
    init(decoding raw: UnsafePointer<Cohort__Wire__Matrix>?) throws(ControlError) {
        guard let raw = raw?.pointee else { throw .outOfRange(field: "matrix", value: 0) }
        let sides = 1...WireLimit.expertWidth
        let phases = 0...WireLimit.blockSide
        self.init(
            dtype: raw.dtype, rows: try ProtobufField.count(raw.rows, in: sides, field: "rows"),
            columns: try ProtobufField.count(raw.columns, in: sides, field: "columns"),
            block: try ModelShape.Block(rows: raw.block_rows, columns: raw.block_columns),
            rowPhase: try ProtobufField.count(raw.row_phase, in: phases, field: "row_phase"),
            columnPhase: try ProtobufField.count(raw.column_phase, in: phases, field: "column_phase"))
    }

    var encoded: Cohort__Wire__Matrix {
        var raw = Cohort__Wire__Matrix()
        cohort__wire__matrix__init(&raw)
        raw.dtype = dtype
        raw.rows = UInt32(rows)
        raw.columns = UInt32(columns)
        raw.block_rows = UInt32(block?.rows ?? 0)
        raw.block_columns = UInt32(block?.columns ?? 0)
        raw.row_phase = UInt32(rowPhase)
        raw.column_phase = UInt32(columnPhase)
        return raw
    }
}

extension ProtobufCodec<Cohort__Wire__Slice> {
    static var slice: Self {
        Self(
            kind: .slice, initialize: cohort__wire__slice__init, size: cohort__wire__slice__get_packed_size,
            pack: cohort__wire__slice__pack, unpack: cohort__wire__slice__unpack,
            free: cohort__wire__slice__free_unpacked)
    }
}

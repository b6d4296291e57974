import Kernels
import Testing

@Suite struct ProcessorTests {
    @Test("the best instruction set comes first and the scalar twin last")
    func tablesAreOrdered() {
        let names = KernelSet.available().map(\.name)
        #expect(names.last == "scalar")
        #expect(Set(names).count == names.count)
        #expect(Processor(threads: 1, compute: .f32).kernels.name == names[0])
    }

    @Test("a product has the same bits for every number of threads", arguments: [1, 2, 3, 4, 7])
    func threadsDoNotMatter(threads: Int) {
        var numbers = RandomNumbers(seed: 1)
        let shape = RandomMatrix.Shape(dtype: .f8e4m3, rows: 333, columns: 200)
        let matrix = RandomMatrix(shape, using: &numbers).matrix
        let input = RandomActivations(bf16: true, rows: 5, columns: 200, using: &numbers)
        let expected = KernelSet.scalar.product(input, by: matrix).values
        let outputs = Outputs(rows: 5, columns: 333)
        let processor = Processor(threads: threads, compute: .fast)
        withExtendedLifetime(input) {
            processor.multiply(input.activations, by: matrix, into: outputs.pointer, stride: outputs.stride)
        }
        #expect(firstDifference(outputs.values, expected) == nil)
        #expect(outputs.gapsUntouched)
    }

    @Test("narrowing in parallel is narrowing")
    func narrows() {
        var numbers = RandomNumbers(seed: 2)
        let floats = (0..<50_001).map { _ in numbers.float(exponents: -20...20) }
        let processor = Processor(threads: 3, compute: .fast)
        var narrow = [UInt16](repeating: 0, count: floats.count)
        var expected = narrow
        processor.narrow(floats, count: floats.count, into: &narrow)
        KernelSet.scalar.narrow(floats, count: floats.count, into: &expected)
        #expect(narrow == expected)
    }

    @Test("buffers are zeroed and aligned, small and large", arguments: [0, 1, 1000, 600_000, 3_000_000])
    func buffersAreZeroed(count: Int) {
        let buffer = AlignedBuffer<Float>(count: count)
        #expect(buffer.count == count)
        #expect(Int(bitPattern: buffer.pointer) % 64 == 0)
        #expect((0..<count).allSatisfy { buffer.pointer[$0] == 0 })
        for index in 0..<count { buffer.pointer[index] = Float(index) }
        #expect(count == 0 || buffer.pointer[count - 1] == Float(count - 1))
    }

    @Test("the process may run on at least one processor")
    func processorsAreAllowed() {
        let allowed = Processors.allowed()
        #expect(!allowed.isEmpty && allowed == allowed.sorted())
    }
}

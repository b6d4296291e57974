import Cluster
import Testing

@Suite struct QuantityTests {
    @Test(
        "sizes have decimal and binary units",
        arguments: [
            ("256GiB", 256 << 30), ("64GB", 64_000_000_000), ("1.5TiB", 3 << 39), ("7B", 7), ("2kB", 2000),
            ("3MiB", 3 << 20), ("0.5KiB", 512), ("1TB", 1_000_000_000_000),
        ])
    func bytes(text: String, expected: Int) throws {
        #expect(try Quantity.bytes(text) == expected)
    }

    @Test(
        "what is no size is refused",
        arguments: [
            "", "256", "GiB", "256 GiB", "256gib", "-1GiB", "+1GiB", "1e3GiB", "0GiB", "0.3B", "1.GiB", ".5GiB",
            "1.2.3GiB", "5000TiB", "inf GiB", "0x10B", "1GiB/s", "٣GiB", "99999999999999999999999999TiB",
        ])
    func wrongBytes(text: String) {
        let error = #expect(throws: QuantityError.self) { try Quantity.bytes(text) }
        #expect(error?.text == text)
    }

    @Test("on the command line a bare number counts bytes")
    func bare() throws {
        #expect(try Quantity.bytes("4096", bareIsBytes: true) == 4096)
        #expect(throws: QuantityError.self) { try Quantity.bytes("0", bareIsBytes: true) }
        #expect(throws: QuantityError.self) { try Quantity.bytes("+5", bareIsBytes: true) }
    }

    @Test("rates count bytes with B and bits with b")
    func rates() throws {
        #expect(try Quantity.bytesPerSecond("200GB/s") == 200e9)
        #expect(try Quantity.bytesPerSecond("25Gb/s") == 3.125e9)
        #expect(try Quantity.bytesPerSecond("1GiB/s") == 1_073_741_824)
        for text in ["200GB", "200/s", "25Gbps", "0Gb/s", "GB/s"] {
            #expect(throws: QuantityError.self) { try Quantity.bytesPerSecond(text) }
        }
    }

    @Test("times are whole milliseconds")
    func times() throws {
        #expect(try Quantity.milliseconds("90s") == 90_000)
        #expect(try Quantity.milliseconds("1.5s") == 1500)
        #expect(try Quantity.milliseconds("5min") == 300_000)
        for text in ["90", "0s", "0.5ms", "9999h", "1d"] {
            #expect(throws: QuantityError.self) { try Quantity.milliseconds(text) }
        }
    }
}

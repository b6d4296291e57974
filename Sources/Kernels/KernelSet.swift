internal import CKernels

/// One instruction set's kernels. All sets give the same bits.
package struct KernelSet: Sendable {
    private let table: cohort_kernels
}

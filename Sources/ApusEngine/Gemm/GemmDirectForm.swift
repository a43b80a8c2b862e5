import ApusKernelInterface

/// A plain problem of one serial block whose operands are used as they lie: all that is left to do in a run is one call
/// of a kernel, with a shape that was filled in before. That is what makes the smallest products fast.
@usableFromInline
struct GemmDirectForm: Sendable {
  @usableFromInline typealias Kernel =
    @convention(c) (UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer) -> Void
  @usableFromInline let kernel: Kernel
  /// Bytes of a turned B, which goes through the thread's buffer; 0 where B is used as it lies.
  @usableFromInline let packedBytes: Int
  /// The kernel's shape for C = A B and for C += A B. Written here and never again.
  @usableFromInline nonisolated(unsafe) let overwriting: UnsafeMutableRawPointer
  @usableFromInline nonisolated(unsafe) let accumulating: UnsafeMutableRawPointer

  /// nil where the problem is not of this form.
  init?(
    _ descriptor: GemmDescriptor, _ problem: GemmProblem, _ algorithm: GemmAlgorithm, _ kernels: GemmKernels,
    _ rowTiles: BalancedSplit, _ panelColumns: Int
  ) {
    guard descriptor.isPlainAndSmall(kernels), !problem.aIsPacked, !problem.bIsPacked, problem.k <= kernels.kBlock
    else { return nil }
    switch algorithm {
    case .blocked(packA: false, packB: false): packedBytes = 0
    case .blocked(packA: _, packB: true):
      packedBytes = problem.k * problem.n.roundedUp(to: kernels.tileColumns) * descriptor.dataType.size
    default: return nil
    }
    let bIsPacked = packedBytes > 0
    let bStep = bIsPacked ? kernels.tileColumns : problem.bStep
    if rowTiles.count == 1 && problem.n <= panelColumns {
      kernel = kernels.tile
      let shape = GemmTileShape(
        aRowStride: problem.aRow, aStepStride: problem.aStep, bStepStride: bStep, cRowStride: problem.cRow,
        k: problem.k, rows: problem.m, columns: problem.n, bIsPadded: bIsPacked, accumulate: false)
      overwriting = Self.copy(shape)
      var second = shape
      second.accumulate = true
      accumulating = Self.copy(second)
    } else {
      kernel = kernels.block
      let shape = GemmBlockShape(
        tiles: rowTiles, n: problem.n, k: problem.k, aRowStride: problem.aRow, aStepStride: problem.aStep,
        bStepStride: bStep, cRowStride: problem.cRow, panelColumns: panelColumns, aIsPacked: false,
        bIsPacked: bIsPacked, output: GemmOutput(), tileBuffer: nil)
      overwriting = Self.copy(shape)
      var second = shape
      second.output.beta = 1
      accumulating = Self.copy(second)
    }
  }

  /// Ends the shapes' memory; the plan that made them calls it.
  func free() {
    overwriting.deallocate()
    accumulating.deallocate()
  }

  private static func copy<Shape>(_ shape: Shape) -> UnsafeMutableRawPointer {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: MemoryLayout<Shape>.size, alignment: Memory.alignment)
    memory.initializeMemory(as: Shape.self, to: shape)
    return memory
  }
}

extension GemmDescriptor {
  /// No batch, no epilogue, and too little work for a second thread.
  fileprivate func isPlainAndSmall(_ kernels: GemmKernels) -> Bool {
    bias == .none && !hasResidual && activation == .identity && batch == 1 && batchKind == .strided && m > 0 && n > 0
      && GemmWork(self, kernels).isBelowBreakEven
  }
}

import ApusKernelInterface

/// x86-64-v3: 16 registers of 256 bits.
enum TileShape {
  /// Rows and vectors of the register tile: rows x vectors sums, one row of B and one scalar of A fit the registers.
  static var rows: Int { 6 }
  /// Rows of a tile that is one vector wide.
  static var narrowRows: Int { 6 }
  static var vectors: Int { 2 }
  /// See GemmKernels.kBlock: C is read and written once a block, and a panel of B of this depth fits the second level.
  static var kBlock: Int { 512 }
}

/// Rows of a matrix that a matrix-vector product reads together.
typealias DotRows = Count<2>

/// Rows of a plane tile of 1, 2 and 3 channels: rows x channels (x 2 vectors) sums, and a row of the source.
typealias NarrowPlaneRows1 = Count<7>
typealias NarrowPlaneRows2 = Count<4>
typealias NarrowPlaneRows3 = Count<4>
typealias WidePlaneRows1 = Count<4>
typealias WidePlaneRows2 = Count<2>
typealias WidePlaneRows3 = Count<2>

/// This set's kernels.
public var kernelTableAVX2: KernelTable { makeKernelTable() }

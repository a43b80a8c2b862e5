/// The register tile's work: `rows` x `columns` of C from a list of blocks of A and B ("batch-reduce GEMM",
/// E. Georganas et al., "Harnessing Deep Learning via a Single Building Block", 2020).
///
/// Every element of C is one chain of multiply-adds over the blocks in order and k in order within a block, starting
/// from zero, so its bits depend on nothing else. Strides are in elements of the data type. The three pointers travel
/// beside this, so that one description serves many tiles: A's row i, step s lies at `a + i * aRowStride +
/// s * aStepStride`, step s of B at `b + s * bStepStride` with contiguous columns, and C's columns are contiguous too.
@frozen public struct GemmTileShape {
  /// From one row of A to the next.
  public var aRowStride: Int
  /// From one step of k to the next in A.
  public var aStepStride: Int
  /// From one step of k to the next in B, whose columns are contiguous.
  public var bStepStride: Int
  /// Of tiles wider than two vectors: from one pair of B's vectors to the next, each pair having rows of its own.
  public var bPairStride = 0
  /// From one row of C to the next.
  public var cRowStride: Int
  /// Steps in each block.
  public var k: Int
  /// Number of blocks; where it is above 1, block i starts at `a + aOffsets[i]` and `b + bOffsets[i]`.
  public var blocks: Int
  /// `blocks` distances in elements; not read for a single block.
  public var aOffsets: UnsafePointer<Int>?
  /// The same for B.
  public var bOffsets: UnsafePointer<Int>?
  /// Rows of the tile, 1 to the set's tile rows (narrow tile rows, if the columns fit one vector).
  public var rows: Int
  /// Columns that are read and written, 1 to the set's tile columns.
  public var columns: Int
  /// True where B's rows are readable up to the next whole vector (packed panels are).
  public var bIsPadded: Bool
  /// C += tile rather than C = tile.
  public var accumulate: Bool
  /// The sums go on from what lies in C rather than from zero, so that a chain may be cut anywhere.
  public var continues = false
  /// For each block, which rows of A are known to be zeros there (the padding of an image): 1 for the first, 2 for the last,
  /// 3 for both. The tile may pass over their products, or not.
  public var zeroRows: UnsafePointer<Int>?
  /// Of the bits in `zeroRows`, those that are this tile's.
  public var zeroRowMask = 0
  /// Every step asks for what lies so many elements after its row of B; 0 where there is nothing to come.
  public var bPrefetch = 0
  /// C is overwritten past the caches: of tiles of two vectors, whose rows then are whole lines of memory.
  public var streams = false

  /// A tile of one block, without offsets.
  @inlinable public init(
    aRowStride: Int, aStepStride: Int, bStepStride: Int, cRowStride: Int, k: Int, rows: Int, columns: Int,
    bIsPadded: Bool, accumulate: Bool
  ) {
    self.aRowStride = aRowStride
    self.aStepStride = aStepStride
    self.bStepStride = bStepStride
    self.cRowStride = cRowStride
    self.k = k
    self.blocks = 1
    self.aOffsets = nil
    self.bOffsets = nil
    self.rows = rows
    self.columns = columns
    self.bIsPadded = bIsPadded
    self.accumulate = accumulate
  }
}

/// What happens to a finished sum on its way into C:
/// `C = activation(alpha * sum + beta * C + bias + residual)`, in that order.
@frozen public struct GemmOutput {
  /// Factor of the sum.
  public var alpha: Double = 1
  /// Factor of what C holds; where it is 0, C is not read.
  public var beta: Double = 0
  /// One number a row or a column of the block, or nil.
  public var bias: UnsafeRawPointer?
  /// Whether the bias has one number for each row rather than for each column.
  public var biasIsByRow = false
  /// Where the bias is by row, elements from one row's number to the next one's; 0: all rows share one.
  public var biasRowStride = 1
  /// The element added to the first of the block, or nil; columns are contiguous.
  public var residual: UnsafeRawPointer?
  /// Elements from one row of the residual to the next.
  public var residualRowStride = 0
  /// Applied last, to the whole sum.
  public var activation = Activation.identity
  /// Of leaky ReLU and ELU, for x < 0.
  public var slope: Double = 0

  /// C = sum.
  @inlinable public init() {}

  /// C = sum: the tile stores its registers directly.
  @inlinable public var isOverwrite: Bool { beta == 0 && isPlain }
  /// C += sum: the tile adds its registers directly.
  @inlinable public var isAccumulate: Bool { beta == 1 && isPlain }
  /// Nothing but beta acts: no factor, bias, residual or activation.
  @inlinable public var isPlain: Bool { alpha == 1 && bias == nil && residual == nil && activation == .identity }
}

/// Activations that kernels fuse. Raw values are those of the C header.
@frozen public enum Activation: Int32, CaseIterable, Sendable {
  case identity = 0
  case relu = 1
  case leakyReLU = 2
  case elu = 3
  case sigmoid = 4
  case tanh = 5
}

/// A block of C computed tile by tile: C[m x n] from A[m x k] and B[k x n], whose pointers travel beside this.
@frozen public struct GemmBlockShape {
  /// The rows of the block by register tiles.
  public var tiles: BalancedSplit
  /// Columns of the block.
  public var n: Int
  /// Steps: columns of A and rows of B.
  public var k: Int
  /// From one row of an unpacked A to the next, in elements.
  public var aRowStride: Int
  /// From one step of k to the next in an unpacked A, in elements.
  public var aStepStride: Int
  /// Row stride of an unpacked B, whose columns are contiguous.
  public var bStepStride: Int
  /// Row stride of C, whose columns are contiguous.
  public var cRowStride: Int
  /// Columns that a tile has at most: the set's tile columns, or its lanes where the tiles are narrow.
  public var panelColumns: Int
  /// A holds the tiles' panels one after the other, each `[k][rows of the tile]`.
  public var aIsPacked: Bool
  /// B holds panels of the set's tile columns, each `[k][tile columns]`, padded.
  public var bIsPacked: Bool
  /// How the sums reach C; its pointers belong to the first row and column of the block.
  public var output: GemmOutput
  /// Room for one tile, for outputs that are neither plain overwriting nor plain accumulation.
  public var tileBuffer: UnsafeMutableRawPointer?
  /// The sums go on from what lies in C; for an output that plainly overwrites.
  public var continues = false
  /// Distance in elements from the first row of an unpacked B to the rows that the next call uses; 0 for none.
  public var bNext = 0

  /// A block that starts its sums from zero and prefetches no further rows of B.
  @inlinable public init(
    tiles: BalancedSplit, n: Int, k: Int, aRowStride: Int, aStepStride: Int, bStepStride: Int, cRowStride: Int,
    panelColumns: Int, aIsPacked: Bool, bIsPacked: Bool, output: GemmOutput, tileBuffer: UnsafeMutableRawPointer?
  ) {
    self.tiles = tiles
    self.n = n
    self.k = k
    self.aRowStride = aRowStride
    self.aStepStride = aStepStride
    self.bStepStride = bStepStride
    self.cRowStride = cRowStride
    self.panelColumns = panelColumns
    self.aIsPacked = aIsPacked
    self.bIsPacked = bIsPacked
    self.output = output
    self.tileBuffer = tileBuffer
  }
}

/// A length split into pieces that differ by at most one, the larger ones first: 49 in pieces of at most 14 is
/// 13 + 12 + 12 + 12. Rows of C are split so into register tiles, and K into blocks.
@frozen public struct BalancedSplit: Sendable {
  /// Number of pieces; 0 for an empty length.
  public let count: Int
  @usableFromInline let size: Int
  @usableFromInline let larger: Int

  /// The fewest pieces of 0..<total that are no longer than `limit`.
  @inlinable public init(_ total: Int, atMost limit: Int) {
    count = (total + limit - 1) / limit
    size = count == 0 ? 0 : total / count
    larger = count == 0 ? 0 : total - size * count
  }
  /// The same, but where there are several pieces, so many that each of `threads` gets as many, if the length has them.
  @inlinable public init(_ total: Int, atMost limit: Int, threads: Int) {
    let fewest = BalancedSplit(total, atMost: limit).count
    let count = fewest <= 1 ? fewest : min(total, (fewest + threads - 1) / threads * threads)
    let size = count == 0 ? 0 : total / count
    self.init(count: count, size: size, larger: total - size * count)
  }
  @inlinable init(count: Int, size: Int, larger: Int) {
    self.count = count
    self.size = size
    self.larger = larger
  }
  /// Length of piece `index`.
  @inlinable public func length(_ index: Int) -> Int { index < larger ? size &+ 1 : size }
  /// Where piece `index` starts; of piece `count`, the whole length.
  @inlinable public func start(_ index: Int) -> Int { index &* size &+ min(index, larger) }
  /// Of the longest piece.
  @inlinable public var longest: Int { larger > 0 ? size + 1 : size }
  /// Some of the pieces, as they are.
  @inlinable public func slice(_ range: Range<Int>) -> BalancedSplit {
    BalancedSplit(count: range.count, size: size, larger: max(0, min(larger, range.upperBound) - range.lowerBound))
  }
}

/// A matrix-vector product y = A x, or one row of C times B.
@frozen public struct MatrixVectorArguments {
  /// Dot form: `rows` rows of `k` contiguous elements. Update form: `k` rows of `rows` contiguous elements.
  public var matrix: UnsafeRawPointer
  /// Elements from one row of the matrix, as the form has it, to the next.
  public var matrixStride: Int
  /// `k` elements in either form.
  public var vector: UnsafeRawPointer
  /// Elements from one element of the vector to the next; 1 in the dot form.
  public var vectorStride: Int
  /// `rows` contiguous results.
  public var result: UnsafeMutableRawPointer
  /// Number of results.
  public var rows: Int
  /// Products in each result.
  public var k: Int

  /// Every field as given.
  @inlinable public init(
    matrix: UnsafeRawPointer, matrixStride: Int, vector: UnsafeRawPointer, vectorStride: Int,
    result: UnsafeMutableRawPointer, rows: Int, k: Int
  ) {
    self.matrix = matrix
    self.matrixStride = matrixStride
    self.vector = vector
    self.vectorStride = vectorStride
    self.result = result
    self.rows = rows
    self.k = k
  }
}

/// GEMM's kernels for one data type, filled in by each instruction set.
@frozen public struct GemmKernels: Sendable {
  /// C function pointers, whose arguments must be C's: (pointer to a `GemmBlockShape`, a, b, c).
  public typealias Block =
    @convention(c) (UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer) -> Void
  /// (pointer to a `GemmTileShape`, a, b, c)
  public typealias Tile =
    @convention(c) (UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer) -> Void
  /// (source, pointer to the `BalancedSplit` of its rows, rows that may be read, k, row stride, step stride, packed):
  /// tiles of A as `GemmBlockArguments.a` describes. Writes up to `lanes` elements past the last panel.
  public typealias PackA =
    @convention(c) (UnsafeRawPointer, UnsafeRawPointer, Int, Int, Int, Int, UnsafeMutableRawPointer) -> Void
  /// (source, rows, row length, row stride, turned, width): each of `length` steps gets an element of every row, and the
  /// steps are `width` >= rows apart. Writes up to `lanes` - 1 elements past a step's rows, the later step's over the
  /// earlier one's surplus.
  public typealias Turn =
    @convention(c) (UnsafeRawPointer, Int, Int, Int, UnsafeMutableRawPointer, Int) -> Void
  /// (source, k, columns, step stride, column stride, packed): panels of B; one of the strides is 1.
  public typealias PackB =
    @convention(c) (UnsafeRawPointer, Int, Int, Int, Int, UnsafeMutableRawPointer) -> Void
  /// A pointer to a `MatrixVectorArguments`.
  public typealias MatrixVector = @convention(c) (UnsafeRawPointer) -> Void
  /// (sums, their row stride, rows, columns, C, its row stride, pointer to a `GemmOutput`)
  public typealias Finish =
    @convention(c) (UnsafeRawPointer, Int, Int, Int, UnsafeMutableRawPointer, Int, UnsafeRawPointer) -> Void

  /// Elements of the data type in a vector.
  public var lanes: Int
  /// Rows of a tile at most.
  public var tileRows: Int
  /// Rows of a tile whose columns fit one vector.
  public var narrowTileRows: Int
  /// Columns of a tile at most, and of a packed panel of B: a whole number of vectors.
  public var tileColumns: Int
  /// Longest chain of multiply-adds: K is cut into equal blocks of at most this many steps, whose sums are added in
  /// order.
  public var kBlock: Int
  /// One register tile of C: overwritten, added to or continued.
  public var tile: Tile
  /// A block of C, tile by tile, with any output.
  public var block: Block
  /// Rows of A into the panels that `block` reads.
  public var packA: PackA
  /// Columns of B into the panels that `block` reads.
  public var packB: PackB
  /// Transposition in general.
  public var turn: Turn
  /// result[i] = dot(matrix row i, vector), vector stride 1.
  public var dots: MatrixVector
  /// result[j] = sum over k of vector[k] * matrix[k][j], each a chain in the order of k, as the tile's.
  public var update: MatrixVector
  /// Sums that lie in memory into C by way of a `GemmOutput`.
  public var finish: Finish

  /// The table of one instruction set.
  @inlinable public init(
    lanes: Int, tileRows: Int, narrowTileRows: Int, tileColumns: Int, kBlock: Int, tile: Tile, block: Block,
    packA: PackA, packB: PackB, turn: Turn, dots: MatrixVector, update: MatrixVector, finish: Finish
  ) {
    self.lanes = lanes
    self.tileRows = tileRows
    self.narrowTileRows = narrowTileRows
    self.tileColumns = tileColumns
    self.kBlock = kBlock
    self.tile = tile
    self.block = block
    self.packA = packA
    self.packB = packB
    self.turn = turn
    self.dots = dots
    self.update = update
    self.finish = finish
  }
}

/// What a phase does with its sums; see the definitions of the cells in the C header.
@frozen public enum RecurrentFinish: Int32, Sendable {
  /// h = tanh(x + sum).
  case tanh
  /// h = max(0, x + sum).
  case relu
  /// LSTM: gates i, f, g, o; c and h, or with a projection c and what is projected.
  case longShortTerm
  /// GRU, reset after the recurrent product: gates r, z, n; h.
  case gatedResetAfter
  /// GRU, reset before the recurrent product: gates r and z, and r * h for the second product.
  case gatedReset
  /// The same: gate n and h.
  case gatedResetBefore
  /// h = sum.
  case project
  case tanhBackward
  case reluBackward
  case longShortTermBackward
  /// The same where dh came through the projection: the sums are all there is.
  case longShortTermBackwardProjected
  case gatedResetAfterBackward
  /// Gradients before the activations of z and n.
  case gatedResetBeforeBackward
  /// The same of r, from the gradient by r * h.
  case gatedResetBackward
  /// dh of a projected state, kept for the second product and the projection's gradient.
  case projectBackward
  /// carry += sum: what is left for the step before the first.
  case carry
}

/// One phase of one time step of a recurrent layer: a product of all rows of a batch with packed weights, and what
/// becomes of the sums on the hot tile.
///
/// Unit blocks are `blockVectors` vectors wide; a panel holds the block's columns of each of `gates` gates, padded with
/// zeros to whole vectors, in pairs of vectors: each pair has `k` rows of its own, the pairs follow each other. Strides are in elements. Row r of a pointer with stride s starts at r * s; gate g
/// of a row at g * `gateStride`.
@frozen public struct RecurrentPhase {
  /// What happens to the sums.
  public var finish: RecurrentFinish
  /// Left operand of the product: rows of `k` contiguous elements.
  public var a: UnsafeRawPointer?
  /// From one row of `a` to the next.
  public var aRowStride = 0
  /// Products in a sum; 0: the sums are zero, and `a` is not read.
  public var k = 0
  /// Panels, one for each unit block.
  public var panels: UnsafeRawPointer?
  /// From one panel to the next.
  public var panelStride = 0
  /// Gates in a panel.
  public var gates = 1
  /// Vectors of a unit block.
  public var blockVectors = 1
  /// Columns of the result of each gate.
  public var units = 0
  /// Rows of the batch by tiles.
  public var rows: BalancedSplit
  /// The time step; row r takes part where step < lengths[r].
  public var step = 0
  /// nil: every row takes part.
  public var lengths: UnsafePointer<Int64>?
  /// Input products on the way forward, overwritten by what backward needs of the gates where `keeps`.
  public var gateValues: UnsafeMutableRawPointer?
  /// From one row of `gateValues` to the next.
  public var gateRowStride = 0
  /// From one gate of a row to the next.
  public var gateStride = 0
  /// Whether backward will read `gateValues`.
  public var keeps = false
  /// The state before the step, in the direction of the recurrence.
  public var hBefore: UnsafeMutableRawPointer?
  /// As `hBefore`, after the step.
  public var hAfter: UnsafeMutableRawPointer?
  /// Of both.
  public var hRowStride = 0
  /// As `hBefore`, of the cell state.
  public var cBefore: UnsafeMutableRawPointer?
  /// As `cBefore`, after the step.
  public var cAfter: UnsafeMutableRawPointer?
  /// Of both.
  public var cRowStride = 0
  /// The layer's output, or nil.
  public var y: UnsafeMutableRawPointer?
  /// From one row of `y` to the next.
  public var yRowStride = 0
  /// r * h, or the output of a cell that is projected; backward, dh of a projected state.
  public var product: UnsafeMutableRawPointer?
  /// From one row of `product` to the next.
  public var productRowStride = 0
  /// Added to the input products, gate by gate.
  public var bias: UnsafeRawPointer?
  /// Recurrent bias of gate n where the reset comes after.
  public var gateBias: UnsafeRawPointer?
  /// Three rows of `units`: i, f, o.
  public var peepholes: UnsafeRawPointer?
  /// c stays within -clip...clip; 0: anywhere.
  public var clip = 0.0
  /// Gradient by the layer's output at this step, or nil.
  public var dy: UnsafeRawPointer?
  /// From one row of `dy` to the next.
  public var dyRowStride = 0
  /// Gradients before the gates' activations.
  public var dGates: UnsafeMutableRawPointer?
  /// From one row of `dGates` to the next.
  public var dGateRowStride = 0
  /// What reaches dh other than through dy and the product; nil: nothing.
  public var carry: UnsafeMutableRawPointer?
  /// From one row of `carry` to the next.
  public var carryRowStride = 0
  /// Gradient by c, from one step to the one before.
  public var dc: UnsafeMutableRawPointer?
  /// From one row of `dc` to the next.
  public var dcRowStride = 0

  /// A phase without data.
  @inlinable public init(finish: RecurrentFinish, rows: BalancedSplit) {
    self.finish = finish
    self.rows = rows
  }

  /// Unit blocks.
  @inlinable public func blocks(lanes: Int) -> Int {
    (units + blockVectors * lanes - 1) / (blockVectors * lanes)
  }
}

/// Recurrent layers' kernels for one data type, filled in by each instruction set.
@frozen public struct RecurrentKernels: Sendable {
  /// (pointer to a `RecurrentPhase`, first item, end of the items, buffer): items are unit blocks x row tiles, row tiles
  /// running faster. The buffer has room for `bufferElements`.
  public typealias Phase = @convention(c) (UnsafeRawPointer, Int, Int, UnsafeMutableRawPointer) -> Void
  /// (a, its row stride, b, its row stride, rows, columns, result, accumulate): result[j] = sum over rows of a * b, in the
  /// order of the rows.
  public typealias ColumnDots =
    @convention(c) (UnsafeRawPointer, Int, UnsafeRawPointer, Int, Int, Int, UnsafeMutableRawPointer, Bool) -> Void

  /// Rows that a tile of a whole panel takes.
  public var fewRows: Int
  /// Elements of the buffer in which sums wait for their finish.
  public var bufferElements: Int
  /// Some items of a phase.
  public var phase: Phase
  /// Column by column, sums of products.
  public var columnDots: ColumnDots

  /// The table of one instruction set.
  @inlinable public init(fewRows: Int, bufferElements: Int, phase: Phase, columnDots: ColumnDots) {
    self.fewRows = fewRows
    self.bufferElements = bufferElements
    self.phase = phase
    self.columnDots = columnDots
  }
}

import ApusEngine
import ApusKernelInterface
import CApus

/// An enumeration whose cases have names in the header, by which messages call them.
protocol HeaderNamed: RawRepresentable, CaseIterable where RawValue == Int32 {
  /// All of them: "APUS_LAYOUT_NCHW = 0, APUS_LAYOUT_NHWC = 1".
  static var headerList: String { get }
}

extension HeaderNamed {
  /// `names` in the order of the cases, without "APUS_" and what they have in common.
  static func list(_ prefix: String, _ names: String) -> String {
    zip(allCases, names.split(separator: " ")).map { "APUS_\(prefix)\($1) = \($0.rawValue)" }.joined(separator: ", ")
  }
}

/// An enumeration's case from the caller's number.
func require<E: HeaderNamed>(_ raw: Int32, _ name: String, _: E.Type) throws(ApusError) -> E {
  if let value = E(rawValue: raw) { return value }
  throw .invalid(name, raw, "it must be one of: \(E.headerList)")
}

/// A type of indices: its message names no other types.
func requireIndexType(_ raw: Int32) throws(ApusError) -> DataType {
  if raw == Int32(APUS_INT32) { return .int32 }
  if raw == Int32(APUS_INT64) { return .int64 }
  throw .invalid("index_type", raw, "it must be one of: APUS_INT32 = \(APUS_INT32), APUS_INT64 = \(APUS_INT64)")
}

extension InstructionSet: HeaderNamed {
  static var headerList: String { list("ISA_", "BASELINE AVX2 AVX512") }
}
extension ThreadingBackend: HeaderNamed {
  static var headerList: String { list("BACKEND_", "DISPATCH OPENMP HOST SERIAL") }
}
extension WindowRounding: HeaderNamed {
  static var headerList: String { list("ROUND_", "FLOOR CEIL STRICT") }
}
extension DataType: HeaderNamed {
  static var headerList: String { list("", "FLOAT32 FLOAT64 BFLOAT16 FLOAT16 INT8 UINT8 INT32 INT64") }
}
extension TensorLayout: HeaderNamed {
  static var headerList: String { list("LAYOUT_", "NCHW NHWC") }
}
extension Activation: HeaderNamed {
  static var headerList: String { list("ACTIVATION_", "NONE RELU LEAKY_RELU ELU SIGMOID TANH") }
}
extension BinaryFunction: HeaderNamed {
  static var headerList: String {
    list(
      "BINARY_",
      "ADD SUBTRACT MULTIPLY DIVIDE POWER MINIMUM MAXIMUM EQUAL NOT_EQUAL LESS LESS_OR_EQUAL GREATER"
        + " GREATER_OR_EQUAL")
  }
}
extension ElementFunction: HeaderNamed {
  static var headerList: String {
    list(
      "",
      "ACTIVATION_NONE ACTIVATION_RELU ACTIVATION_LEAKY_RELU ACTIVATION_ELU ACTIVATION_SIGMOID"
        + " ACTIVATION_TANH ACTIVATION_SELU ACTIVATION_CELU ACTIVATION_SOFTPLUS ACTIVATION_SOFTSIGN"
        + " ACTIVATION_HARD_SIGMOID ACTIVATION_HARD_TANH ACTIVATION_HARD_SWISH ACTIVATION_SILU"
        + " ACTIVATION_GELU ACTIVATION_GELU_TANH ACTIVATION_MISH ACTIVATION_CLAMP FUNCTION_EXP FUNCTION_LOG"
        + " FUNCTION_SQRT FUNCTION_ABS FUNCTION_NEGATE FUNCTION_SQUARE FUNCTION_RECIPROCAL FUNCTION_SIGN"
        + " FUNCTION_EXPM1 FUNCTION_ERF FUNCTION_AFFINE")
  }
}
extension MatrixOrder: HeaderNamed {
  static var headerList: String { list("", "ROW_MAJOR COL_MAJOR") }
}
extension GemmBatchKind: HeaderNamed {
  static var headerList: String { list("BATCH_", "STRIDED POINTERS") }
}
extension GemmBias: HeaderNamed {
  static var headerList: String { list("BIAS_", "NONE BY_ROW BY_COLUMN") }
}
extension GemmOperand: HeaderNamed {
  static var headerList: String { list("OPERAND_", "A B") }
}
extension LossReduction: HeaderNamed {
  static var headerList: String { list("LOSS_", "NONE MEAN SUM") }
}
extension PointwiseLoss: HeaderNamed {
  static var headerList: String { list("LOSS_", "BCE_LOGITS MSE MAE HUBER HINGE") }
}
extension PaddingMode: HeaderNamed {
  static var headerList: String { list("PAD_", "CONSTANT REFLECT REPLICATE CIRCULAR") }
}
extension NormalizationKind: HeaderNamed {
  static var headerList: String { list("NORM_", "BATCH LAYER INSTANCE GROUP RMS") }
}
extension OptimizerKind: HeaderNamed {
  static var headerList: String { list("OPTIMIZER_", "SGD ADAGRAD RMSPROP ADAM ADAMW") }
}
extension RandomDistribution: HeaderNamed {
  static var headerList: String { list("RANDOM_", "UNIFORM NORMAL TRUNCATED_NORMAL") }
}
extension Initializer: HeaderNamed {
  static var headerList: String {
    list("INIT_", "GLOROT_UNIFORM GLOROT_NORMAL HE_UNIFORM HE_NORMAL LECUN_UNIFORM LECUN_NORMAL ORTHOGONAL")
  }
}
extension RecurrentCell: HeaderNamed {
  static var headerList: String { list("RNN_", "TANH RELU LSTM GRU GRU_RESET_BEFORE") }
}
extension RecurrentDirection: HeaderNamed {
  static var headerList: String { list("RNN_", "FORWARD REVERSE BIDIRECTIONAL BIDIRECTIONAL_SUM") }
}
extension RecurrentParameter: HeaderNamed {
  static var headerList: String {
    list("RNN_", "WEIGHT_INPUT WEIGHT_RECURRENT BIAS_INPUT BIAS_RECURRENT PROJECTION PEEPHOLE")
  }
}
extension RecurrentFormat: HeaderNamed {
  static var headerList: String { list("RNN_FORMAT_", "ONNX ONEDNN KERAS CUDNN") }
}
extension RecurrentMode: HeaderNamed {
  static var headerList: String { list("RNN_", "INFERENCE TRAINING") }
}
extension ReductionKind: HeaderNamed {
  static var headerList: String { list("REDUCE_", "SUM MEAN MAX MIN VARIANCE NORM1 NORM2 LOG_SUM_EXP") }
}
extension PoolingKind: HeaderNamed {
  static var headerList: String { list("POOL_", "MAX AVERAGE AVERAGE_INCLUDE_PADDING LP") }
}
extension PoolingDirection: HeaderNamed {
  static var headerList: String { list("", "FORWARD BACKWARD_DATA POOL_UNPOOL POOL_UNPOOL_BACKWARD") }
}
extension ConvolutionDirection: HeaderNamed {
  static var headerList: String { list("", "FORWARD BACKWARD_DATA BACKWARD_WEIGHTS") }
}
extension ConvolutionAlgorithm: HeaderNamed {
  static var headerList: String { list("CONV_", "DIRECT IMPLICIT_GEMM POINTWISE DEPTHWISE PLANES WINOGRAD") }
}
extension LossTarget: HeaderNamed {
  // 0 has no name.
  static var headerList: String { "0 (probabilities), APUS_INT32 = \(APUS_INT32), APUS_INT64 = \(APUS_INT64)" }
}

// This target holds only the linker settings of the shipped library; see Package.swift.
@_exported import ApusABI

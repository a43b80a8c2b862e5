import ApusEngine

// Tests of this layer stand here.

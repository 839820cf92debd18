module seatrial.dev/hack/cluster/tests/probe

go 1.26.0

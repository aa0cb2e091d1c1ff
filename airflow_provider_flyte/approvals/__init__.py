"""One execution of FlyteConditionOperator: find the condition, ask a person, and give Flyte the answer."""

"""What is asked on after a question about a name: it, that, its arguments, the module it is in.

Only what was said before makes clear what is meant: the last answer, or the one before that, as in

    What is heapq?                Module heapq: Heap queue algorithm (a.k.a. priority queue).
    What does heapq.merge do?     Function heapq.merge: Merge multiple sorted inputs into a ...
    And the other functions?      Module heapq: of it I know heappop, heappush and merge.

What is answered is in chat_writer.py; see phrasings.py for how wordings are held out.
"""

from minigpt import further_wordings, wordings
from minigpt.phrasings import composed

# Questions that only what was said before makes clear, by what they ask for.
FOLLOW_UPS = {
    "signature": [
        "And how do I call it?", "How is it called?", "And its arguments?", "And its signature?",
        "Which arguments does it take?", "And how is it called?", "How do I write it?",
        "What do I pass to it?", "What goes between its brackets?", "Tell me its arguments.",
        "Show me how to call it.", "Does it take arguments?", "What must I give to it?",
        "What does a call look like?", "The arguments, in order?",
        "Which arguments does that take?", "And how do I call that?", "How is that called?",
        "What does that take?", "And which parameters has it?", "Parameters?", "Arguments?",
        "What parameters does it have?", "How many arguments has it?", "And the signature of that?",
        "How do I use it in code?", "Show me a call.", "What do I hand to that function?",
        "What are its arguments?", "What are the arguments?", "What does it expect?",
        "What do I give it?", "And the parameters?", "What may I pass?", "List its arguments.",
        "What goes into that?", "How do I call this?", "How should I call it?",
        "And in what order?", "What input does that need?", "A call of that, please.",
        "Its arguments?", "If I call it, what do I write?", "Before I call that: which arguments?",
        "When I call it, what do I hand in?", "Once I have it, how is it called?",
        "Would you show me its signature?", "I would like its arguments.",
        "Is there something I must pass?", "With what do I fill the brackets?",
        "How would a call look?", "Has that any parameters?", "In which order do they come?",
        "Which of its arguments may I leave out?", "For a call, what do I need?",
        "Let me see its parameters.", "It takes what?", "Could I see it called?", "I call it how?",
        "My call of it fails. What does it take?",
    ],
    "function": [
        "And what does it do?", "What is it for?", "And what is it for?", "What does it do?",
        "And what happens when I call it?", "What is it good for?", "Describe it.",
        "And its purpose?", "Explain it.", "When do I need it?", "What is the use of it?",
        "Tell me what it is.", "Why would anybody call it?", "In a few words, what is it?",
        "What can I do with it?", "What does that do?", "And what does that do?",
        "What is that for?", "And that is for what?", "What does the function do?",
        "What is its purpose?", "And the purpose of that?", "Can you describe that?",
        "Explain that, please.", "What does this do?", "What is this good for?",
        "Please say what it does.", "And what is that?", "Whatever does it do?",
        "Remind me what it does.", "And why is it there?", "Say more about it.",
        "What does it mean?", "What was it for again?", "Why do people call that?",
        "So what does it do?", "And the point of it?", "What use is that?", "In simple words?",
        "Can you say what that does?", "Tell me more about that.", "Why should I?",
        "When should I call it?", "Once I call it, what happens?", "If I call that, what happens?",
        "For what do people call it?", "Could you put that simply?", "Would I ever need it?",
        "Is that useful?", "When is that used?", "Why is it used?", "Who would use that?",
        "I would like to know its purpose.", "What can that be good for?", "Let me know its use.",
        "How would you describe that?", "In what cases do I call it?",
        "Could you say a word about it?", "It does what?", "That does what?",
        "Which task does it have?", "What has it been made for?", "I have read of it. What is it?",
        "Why should one use it?",
    ],
    "home": [
        "And which module is it in?", "Where is it?", "And where is it?", "Where does it live?",
        "In which module is it?", "To which module does it belong?", "And which module has it?",
        "From which module do I import it?", "Where can it be found?", "And its module?",
        "What do I import to get it?", "And where does it come from?", "Tell me where it is.",
        "Whose function is it?", "Which module must I look into to find it?",
        "Which module is that in?", "And which module is that in?", "Where is that?",
        "In which module is that?", "Which module has that?", "Where is that defined?",
        "Where is it defined?", "Which module is this in?", "From where do I import that?",
        "Which module?", "And the module?", "What module is it in?",
        "What module does that belong to?", "Of which module is that a part?",
        "Where does that come from?", "Which package has it?", "And which package is that in?",
        "What library is it in?", "Which library is that from?", "Which package does it belong to?",
        "Its package?", "And the library?", "What package do I need?", "Where does that live?",
        "Which file has it?", "How do I import it?", "How do I import that?", "And who has it?",
        "Name the module.", "The module, please?", "Where should I look for it?",
        "Is it in some module?", "And where was it put?", "What has it in it?", "Its home?",
        "What module can I get it from?", "From what module can that be had?",
        "In which library can it be found?", "In what file can I see it?",
        "Can I find it in some package?", "Can you find it for me?",
        "I cannot find it. Where is it?", "I need it. What do I import?",
        "Before I call it, what must I import?", "When I look for it, where do I look?",
        "Is it built in?", "Which import is needed?", "What is the module called?",
        "What is the name of its module?", "It is part of what?", "That is in which module?",
        "It belongs where?", "What module holds that?", "I would like to import that. From where?",
        "Once more: which module has it?", "Would it be in some library?",
    ],
    "return": [
        "And what does it return?", "What does it return?", "And what do I get back?",
        "What comes back?", "And its result?", "What is its return value?", "And its return value?",
        "Does it return anything?", "What will it give me?", "What value comes out?",
        "And what is the result?", "Does it give something back?", "Tell me what it returns.",
        "What is the outcome?", "Is some value returned to me?", "What does that return?",
        "And what does that return?", "What do I get from that?", "What comes out of it?",
        "And that returns what?", "What does this return?", "What is the result of that?",
        "Which value does it return?", "What kind of value is returned?", "The result?",
        "What does the function return?", "What will that give me?", "What do I get?",
        "And its output?", "What is its result?", "What type does it return?",
        "And after the call?", "What sort of value is that?", "What answer does it give?",
        "Does that return something?", "What is left after it?", "And the return value of that?",
        "Is it None?", "What comes from it?", "Returns what?", "What does calling it give?",
        "Say what it returns.", "When I call it, what do I get?",
        "When it ends, what is the result?", "After I call it, what does it give?",
        "Once it has run, what does it leave?", "If I print it, what do I see?", "It returns what?",
        "Is there something that it returns?", "With what does it come back?",
        "What would it return?", "Would it return a value?", "Could it return None?",
        "I call it. And then?", "I have called it. What is the answer?", "Has it a result?",
        "So I call it and get what?", "Does one get a value from that?",
        "How does the result look?", "Let me know its result.", "Of what type is its result?",
        "Which answer would I get?", "At the end, what does it give?",
        "I would like to know its result.",
    ],
    "functions": [
        "What are the functions?", "Which functions does it have?", "And its functions?",
        "What else is in it?", "What other functions are there?", "And the other functions?",
        "Which functions are in that module?", "What is in it?", "What does it contain?",
        "List its functions.", "Name its functions.", "What else does that module have?",
        "And the module's other functions?", "Which other functions does the module have?",
        "What more is in that module?", "Tell me all its functions.", "How many functions has it?",
        "What can I import from it?", "And its classes?", "Which classes does it have?",
        "What else does the module contain?", "Show me what is in it.", "Functions?",
        "Are there more functions in it?", "And the rest of the module?", "The other functions?",
        "What are the module's functions?", "What functions are there?", "Its contents?",
        "What else can that module do?", "Please list everything in it.", "Can you list its parts?",
        "List what is in that.", "And everything else in it?", "What may be found in that module?",
        "Its parts?", "And more?", "What does that module contain?", "What has it got?",
        "And what else has it?", "Which names does it define?", "Show me some of its functions.",
        "What can be called in it?", "Write down what it has.", "And other functions in it?",
        "What is there in that module?", "Is there more in that module?",
        "What more can I import from it?", "More of that module, please.",
        "More functions, please.", "Could you name some more of its functions?",
        "Could you say what all is in it?", "Would you list its parts?",
        "Let me see what is in it.", "I want a list of its functions.",
        "When I import it, what do I get?", "If I import that, what can I call?",
        "Once imported, what does it give me?", "Besides that, what is in it?",
        "Apart from this, what does the module have?", "Does the module have more?",
        "What other tools are in it?", "Is that all it has?", "Is there anything else in it?",
        "Only that? What else is in the module?", "Which further functions are in it?",
        "A list of its functions, please.", "And what more can I call?",
        "More of its names, please.",
    ],
    "methods": [
        "What are the methods?", "Which methods does it have?", "And its methods?",
        "What methods are there?", "List its methods.", "Name its methods.", "Its methods?",
        "Which methods are there?", "Tell me its methods.", "How many methods has it?",
        "And the attributes?", "Which attributes does it have?", "What are its attributes?",
        "What can I do with such an object?", "Methods?", "Show me its methods.",
        "What methods does that class have?", "Which methods does that class have?",
        "Does it have methods?", "And which methods has it?", "What are its methods?",
        "Has it any methods?", "And its properties?", "Which methods has the class?",
        "Tell me all methods.", "What is in that class?", "What does the class contain?",
        "Give me its methods.", "And what methods are there?", "Attributes?",
        "Please list all of its methods.", "Can you list its methods?", "What can it do?",
        "What may I call on it?", "Write down its methods.", "Which methods can I call?",
        "Show me some methods.", "What can such a thing do?", "And which calls are there?",
        "Are there methods in it?", "When I have one, what can I call?",
        "If I make one, which methods has it?", "Once I have such an object, what can I do?",
        "Could you say which methods it has?", "I would like a list of its methods.",
        "Which methods belong to it?", "Is there a list of its methods?",
        "What operations does it have?", "Which operations are there?", "What is callable on it?",
        "A list of its methods, please.", "Does that class have attributes?",
        "What can one ask it to do?", "Would you list its methods?", "It has which methods?",
        "Is there anything to call on it?",
    ],
    "module": [
        "And what is that module for?", "What does that module do?", "Explain the module, please.",
        "What is its module for?", "And what does its module do?", "Tell me about that module.",
        "Tell me about its module.", "What is the module for?", "What does the module do?",
        "And what is the module good for?", "Describe that module.", "Explain its module.",
        "What is that module good for?", "Describe its module.", "Describe the module.",
        "Tell me about the module it is in.", "What is the module it is in for?",
        "Explain that module.", "What kind of module is that?", "Tell me about the module.",
        "What can I do with that module?", "What can I do with its module?",
        "What is that package for?", "What does its package do?", "Describe its package.",
        "What is the use of that module?", "What is the use of its module?",
        "In a few words, what is that module?", "Is that module of any use?",
        "What does the package do?", "And the point of that module?", "What can that module do?",
        "Say more about its module.", "Why is there such a module?",
        "In simple words, what is that module?", "Sum up its module.",
        "What do people use that module for?", "And why is there that module?",
        "Is the module useful?", "What sort of module is that?", "Tell me more about its module.",
        "What is its package for?", "When do I need that module?",
        "Once I import its module, what can I do?", "If I import that module, what for?",
        "Could you say more about that module?", "I would like to know about its module.",
        "How would you describe its module?", "For what do people import its module?",
        "Is its module of use to me?", "The module itself: what is it?", "And the module itself?",
        "What about its module?", "Its module does what?", "That module is what?",
        "Let me hear about that module.", "How useful is that module?",
        "Which tasks is the module made for?", "In what cases do I import its module?",
        "Who would use that module?", "Would I need its module?",
        "I have to learn that module. What is it?",
    ],
}  # fmt: skip
HELD_OUT_FOLLOW_UPS = {
    "signature": [
        "With which arguments is it called?", "And how do I write a call of it?",
        "What would I pass to that?", "Which arguments are there?",
    ],
    "function": [
        "And can you explain what it does?", "What would I use it for?",
        "What would that be used for?", "Sum that up for me.",
    ],
    "home": [
        "And which module do I import for it?", "And where do I find it?",
        "Which module would that be in?", "In what module can I find that?",
    ],
    "return": [
        "And what does it give back?", "And what is returned?", "When it is done, what have I got?",
        "And what do we get out of that?",
    ],
    "functions": [
        "And what other things are in that module?", "What functions does it offer?",
        "Could you list what it has?", "And what more does the module offer?",
    ],
    "methods": [
        "What methods does it offer?", "With which methods does it come?",
        "Which calls does it understand?", "I want to see its methods.",
    ],
    "module": [
        "And could you tell me what that module is for?", "What purpose does its module serve?",
        "I want to know what its module does.", "What would I use that module for?",
    ],
}  # fmt: skip

# The same in longer words: the clauses in which a name is asked for, with MEANT in its place,
# but for those where none can stand or that might ask for two things ("what it offers").
MEANT = {"module": ("that module", "its module"), "functions": ("it", "that module")}
UNFIT = ("why there is a module {}", "what kind of module {} is", "what {} offers",
         "what has {} in it", "what all is in the class {}")  # fmt: skip
CLAUSES = {
    sort: [
        clause.format(meant)
        for clause in (wordings.CLAUSES | further_wordings.CLAUSES)[sort] if clause not in UNFIT
        for meant in MEANT.get(sort, ("it", "that"))
    ]
    for sort in FOLLOW_UPS
}  # fmt: skip
COMPOSED_FOLLOW_UPS = composed(CLAUSES)
# of three that are trained on, one is a long one
TRAINED_FOLLOW_UPS = (FOLLOW_UPS, FOLLOW_UPS, COMPOSED_FOLLOW_UPS)

# What may be asked on after which kind of fact; what stands there thrice is asked as often.
OF_FUNCTION = ("signature", "function", "home", "return")
ASKED_ON = {
    "function": (*OF_FUNCTION, *OF_FUNCTION, *OF_FUNCTION, "module", "functions"),
    "method": ("signature", "return", "home"),
    "class": ("signature", "methods", "home", "module"),
    "module": ("functions",),
    "page": (),
    "term": ("signature", "return"),
    "call": (),
}
